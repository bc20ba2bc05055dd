"""What the outside hears of a transaction, as outbox messages. Built from what was written; holds no personal data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from pipeline.identity.consent import Statement, newest
from pipeline.identity.ids import Id
from pipeline.identity.settle import ProfileAfter
from pipeline.store.consent import said_by_way_of
from pipeline.store.database import Transaction
from pipeline.store.identity_writer import Author, LoggedMerge
from pipeline.store.review_writer import ReviewChange
from pipeline.stream.outbox import write_outbox
from schemas.codec import Codec


class Announcer:
    """Encodes messages and writes them to the outbox of the running transaction, one row a topic."""

    def __init__(self, tx: Transaction, codec: Codec, author: Author) -> None:
        self._tx = tx
        self._codec = codec
        self._author = author

    def _send(self, topic: str, values: Sequence[Mapping[str, object]], key: str = "profile_id") -> None:
        """Messages in their order; the field `key` is their key."""
        if values:
            payloads = [self._codec.encode(topic, value) for value in values]
            write_outbox(self._tx, topic, [cast(str, value[key]).encode() for value in values], payloads)

    def profiles(self, changed: Mapping[Id, ProfileAfter], change: str | None = None) -> None:
        """The new state of each changed profile. `change` overrides what is said to have happened."""
        identifiers: defaultdict[Id, list[dict[str, object]]] = defaultdict(list)
        rows = self._tx.rows("identifiers_of", (list(changed),)) if changed else []
        said = said_by_way_of(self._tx, {r for p in changed.values() for r in p.records})
        for profile, kind, value_hash, version, first, last in rows:
            identifiers[profile].append(
                {
                    "type": kind,
                    "value_hash": value_hash.hex(),
                    "hash_key_version": version,
                    "first_seen_at": first,
                    "last_seen_at": last,
                }
            )
        self._send(
            "profiles.updates",
            [self._state(p, identifiers[p.profile_id], _consent(p, said), change) for p in changed.values()],
        )

    def _state(
        self,
        profile: ProfileAfter,
        identifiers: list[dict[str, object]],
        consent: list[dict[str, object]],
        change: str | None,
    ) -> dict[str, object]:
        happened = "linked" if profile.change == "golden" else profile.change
        names = {r: str(r) for r in sorted(profile.records)}
        return {
            "profile_id": str(profile.profile_id),
            "version": profile.version,
            "status": "merged" if profile.merged_into else "active",
            "merged_into": str(profile.merged_into) if profile.merged_into else None,
            "change": change or happened,
            "created_at": profile.created_at,
            "updated_at": self._author.now,
            "record_ids": list(names.values()),
            "identifiers": identifiers,
            "golden_record": {a: names[r] for a, r in sorted(profile.golden.items())},
            "consent": consent,
        }

    def gone(self, profiles: Sequence[Id]) -> None:
        """Tombstones: what anybody keeps of these profiles is to be deleted."""
        keys = [str(p).encode() for p in profiles]
        write_outbox(self._tx, "profiles.updates", keys, [None] * len(keys))

    def merges(self, logged: Iterable[LoggedMerge], versions: Mapping[Id, int]) -> None:
        """Merges, splits and rollbacks. `versions` are the profiles' versions after the transaction."""
        messages: list[Mapping[str, object]] = []
        for entry in logged:
            # of a merge the target survives; of a split the source keeps its id
            stays, other = (
                (entry.target, entry.source) if entry.kind == "merged" else (entry.source, entry.target)
            )
            messages.append(
                {
                    "merge_log_id": str(entry.merge_log_id),
                    "kind": entry.kind,
                    "profile_id": str(stays),
                    "profile_version": versions[stays],
                    "source_profile_id": str(other),
                    "source_profile_version": versions[other],
                    "record_ids": [str(r) for r in sorted(entry.records)],
                    "confidence_score": entry.confidence,
                    "scoring_details": entry.details,
                    "model_version": self._author.model_version,
                    "policy_version": self._author.policy_version,
                    "decided_at": self._author.now,
                }
            )
        self._send("identity.merges", messages)

    def reviews(self, changes: Iterable[ReviewChange], versions: Mapping[Id, int]) -> None:
        """Reviews that came, changed or went. A proposed split names its one profile twice. Of a profile that is gone,
        since a replay, no version is known: 0 is told."""
        messages = [
            {
                "review_id": str(c.review_id),
                "kind": c.kind,
                "status": c.status,
                "reason": c.reason,
                "profile_id": str(c.low),
                "profile_version": versions.get(c.low, 0),
                "other_profile_id": str(c.high),
                "other_profile_version": versions.get(c.high, 0),
                "confidence_score": c.confidence,
                "scoring_details": c.details,
                "model_version": c.model_version,
                "policy_version": c.policy_version,
                "decided_at": self._author.now,
            }
            for c in changes
        ]
        self._send("identity.reviews", messages, key="review_id")

    def linked(self, events: Sequence[Mapping[str, object]]) -> None:
        """Linked events, by profile."""
        self._send("events.linked", events)


def _consent(profile: ProfileAfter, said: Mapping[Id, frozenset[Statement]]) -> list[dict[str, object]]:
    """What holds of a profile, of all that was said by way of its records."""
    if not said:
        return []
    holds = newest(s for r in profile.records & said.keys() for s in said[r])
    return [statement._asdict() for statement in holds.values()]


def versions_of(tx: Transaction, profiles: Iterable[Id]) -> dict[Id, int]:
    """The profiles' versions as this transaction sees them."""
    wanted = list(set(profiles))
    return dict(tx.rows("profile_versions", (wanted,))) if wanted else {}
