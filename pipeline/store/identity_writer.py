"""Writes a settlement: profiles, records, evidence, merge log. A few set-based statements a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from struct import Struct

import orjson

from pipeline.codes import AUTOMATIC
from pipeline.identity.candidates import kinds_of
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    CanonicalRecord,
    Decision,
    Edge,
    MatchKey,
    Merged,
    Split,
    Trait,
)
from pipeline.identity.normalize import serialize
from pipeline.identity.settle import Neighbourhood, ProfileAfter, ProfileRow, Settlement
from pipeline.identity.sharing import person_tag
from pipeline.identity.twins import likeness_number
from pipeline.match_keys import pack_match_keys
from pipeline.matching import Arrival, Found
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import seal
from pipeline.store.database import Transaction
from pipeline.store.edge_details import edge_details, with_levels
from pipeline.store.identity_store import record_context
from pipeline.store.rekeyed import Rehashed, remember_rekeyed

_EVIDENCE_SHOWN = 5
_KEY_ROW = Struct(">hiqiiiiiqi16s")
"""A row of `copy_match_keys`: five fields, each behind its length in bytes."""


@dataclass(frozen=True, slots=True)
class HashedContent:
    """The hashed side of a new record: identifiers as (type, value hash), and its match keys. `also` is the same under
    the version of the keys that a rotation makes ready."""

    hash_key_version: int
    identifiers: tuple[tuple[str, bytes], ...]
    keys: tuple[MatchKey, ...]
    also: Rehashed | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who decides, with what, and when. `reason` None: the pipeline itself, each decision for a reason of its own."""

    actor: str
    reason: str | None
    model_version: str
    policy_version: str
    now: datetime
    new_id: Callable[[], Id]


@dataclass(frozen=True, slots=True)
class LoggedMerge:
    """A merge log entry as written."""

    merge_log_id: Id
    kind: str
    source: Id
    target: Id
    records: frozenset[Id]
    confidence: float | None
    details: str


class IdentityWriter:
    """Writes inside one transaction; every row it changes was locked before."""

    def __init__(self, tx: Transaction, ring: KeyRing, author: Author) -> None:
        self._tx = tx
        self._ring = ring
        self._author = author

    def profiles(self, settlement: Settlement) -> None:
        """Insert new profiles, update changed ones, a version more each, and note which are held together."""
        added = [p for p in settlement.profiles.values() if p.is_new]
        changed = [p for p in settlement.profiles.values() if not p.is_new]
        if added:
            self._tx.run(
                "insert_profiles",
                {
                    "now": self._author.now,
                    "profiles": [p.profile_id for p in added],
                    "goldens": [_golden(p) for p in added],
                    "contested": [p.contested for p in added],
                },
            )
        if changed:
            self._tx.run(
                "update_profiles",
                {
                    "now": self._author.now,
                    "profiles": [p.profile_id for p in changed],
                    "goldens": [_golden(p) for p in changed],
                    "contested": [p.contested for p in changed],
                    "merged_into": [p.merged_into for p in changed],
                },
            )

        if settlement.held:
            self._tx.run("hold_profiles", (list(settlement.held), list(settlement.held.values())))

    def new_records(
        self,
        hashed: Mapping[Id, HashedContent],
        found: Found,
        settlement: Settlement,
    ) -> None:
        """Store new records, sealed under data keys of their own, and file them under the match keys that still lead to
        somebody."""
        if not hashed:
            return
        records = found.neighbourhood.records
        keys = []
        rows = []
        for r in hashed:
            stored = records[r]
            data_key = self._ring.new_data_key(r)
            keys.append((r, data_key.wrapped, data_key.version))
            content_bytes = serialize(CanonicalRecord(stored.record.identifiers, stored.record.traits))
            sealed = seal(data_key.plain, content_bytes, record_context(r))
            activity = stored.activity
            rows.append(
                (
                    r,
                    settlement.moves[r],
                    activity.first_seen,
                    activity.last_seen,
                    list(activity.sources),
                    sealed,
                )
            )
        self._tx.copy("copy_data_keys", ("uuid", "bytea", "int2"), keys)
        self._tx.copy("copy_records", ("uuid", "uuid", "timestamptz", "timestamptz", "text[]", "bytea"), rows)
        filed = [
            (r, c, kinds_of(c.keys), {k.key for k in c.keys} - {k.key for k in found.overfull.get(r, ())})
            for r, c in hashed.items()
        ]
        identifiers = [(r, t, v, c.hash_key_version) for r, c in hashed.items() for t, v in c.identifiers]
        packed = [
            self._key_rows(r, c.hash_key_version, kinds, numbers, records[r].record.traits)
            for r, c, kinds, numbers in filed
        ]
        for r, c, kinds, numbers in filed:
            if (also := c.also) is not None:
                identifiers += [(r, t, v, also.version) for t, v in also.identifiers]
                twins = [also.keys[key] for key in numbers]
                packed.append(self._key_rows(r, also.version, kinds, twins, records[r].record.traits))
        self._tx.copy("copy_record_identifiers", ("uuid", "text", "bytea", "int2"), identifiers)
        self._tx.copy_binary("copy_match_keys", b"".join(packed))
        remember_rekeyed(self._tx, [c.also for c in hashed.values() if c.also is not None])

    def _key_rows(
        self, record: Id, version: int, kinds: int, keys: Iterable[int], traits: Mapping[Trait, str]
    ) -> bytes:
        """Rows of `copy_match_keys`."""
        secret = self._ring.hash_keys(version).match
        tag, likeness = person_tag(traits, secret), likeness_number(traits, secret)
        return b"".join([_KEY_ROW.pack(5, 8, key, 4, kinds, 4, tag, 8, likeness, 16, record) for key in keys])

    def moves(self, settlement: Settlement, new: Collection[Id]) -> None:
        """Send stored records to their new profiles; their events and identifiers follow by themselves."""
        moved = {r: p for r, p in settlement.moves.items() if r not in new}
        if moved:
            self._tx.run("move_records", (list(moved), list(moved.values())))

    def activity(self, known: Mapping[Id, Arrival], products: Mapping[Id, frozenset[int]]) -> None:
        """Fold the batch into the activity of stored records, and remember what was bought."""
        if known:
            self._tx.run(
                "touch_records",
                (
                    list(known),
                    [a.activity.first_seen for a in known.values()],
                    [a.activity.last_seen for a in known.values()],
                    [",".join(a.activity.sources) for a in known.values()],
                ),
            )
        bought = sorted((r, p) for r, ps in products.items() for p in ps)
        if bought:
            self._tx.run("insert_products", ([r for r, _ in bought], [p for _, p in bought]))

    def evidence(self, found: Found) -> None:
        """Store new evidence with its levels, and drop what holds no longer."""
        if found.dropped:
            low, high = zip(*sorted(found.dropped), strict=True)
            self._tx.run("drop_evidence", (list(low), list(high)))
        if not found.edges:
            return
        ordered = sorted(found.edges, key=lambda e: (e.low, e.high))
        self._tx.run(
            "upsert_evidence",
            {
                "low": [e.low for e in ordered],
                "high": [e.high for e in ordered],
                "weight": [e.comparison.weight for e in ordered],
                "confidence": [e.comparison.confidence for e in ordered],
                "levels": [orjson.dumps(edge_details(e)["levels"]).decode() for e in ordered],
                "veto": [e.comparison.veto for e in ordered],
                "via": [pack_match_keys(found.via.get((e.low, e.high), ())) for e in ordered],
                "model": self._author.model_version,
                "policy": self._author.policy_version,
            },
        )

    def worn(self, found: Found) -> None:
        """Remember the match keys that crossed a limit, and the records whose identifiers are shared by it."""
        if found.crossed:
            self._tx.run(
                "wear_keys",
                {
                    "keys": [w.key.key for w in found.crossed],
                    "kinds": [w.kind for w in found.crossed],
                    "steps": [w.step for w in found.crossed],
                    "lost": [w.lost for w in found.crossed],
                    "people": [w.people for w in found.crossed],
                    "reasons": [w.reason for w in found.crossed],
                    "now": self._author.now,
                },
            )
        if found.shared:
            records, keys = zip(*sorted(found.shared), strict=True)
            self._tx.run("insert_shared_identifiers", (list(records), list(keys)))

    def merge_log(
        self,
        decisions: Sequence[Decision],
        standing: Neighbourhood,
        settlement: Settlement,
        split_kind: str = "split",
    ) -> list[LoggedMerge]:
        """Log every merge and split with both profiles as they stood before; call it before the other writes."""
        logged = []
        moving = [d for d in decisions if isinstance(d, Merged | Split)]
        if not moving:
            return []
        snapshots = self._snapshots({p for d in moving for p in (d.source, d.target)}, standing)
        for d in moving:
            edges = _between(d, standing, settlement)
            details = orjson.dumps(
                {"evidence": [edge_details(e) for e in with_levels(self._tx, edges)]}
            ).decode()
            entry = LoggedMerge(
                self._author.new_id(),
                "merged" if isinstance(d, Merged) else split_kind,
                d.source,
                d.target,
                d.records,
                edges[0].comparison.confidence if edges and isinstance(d, Merged) else None,
                details,
            )
            self._tx.run(
                "insert_merge_log",
                (
                    entry.merge_log_id,
                    entry.kind,
                    entry.source,
                    entry.target,
                    sorted(entry.records),
                    snapshots[d.source],
                    snapshots[d.target],
                    entry.confidence,
                    details,
                    self._author.model_version,
                    self._author.policy_version,
                    self._author.actor,
                    self._author.reason or (d.reason if isinstance(d, Split) else AUTOMATIC),
                    self._author.now,
                ),
            )
            logged.append(entry)
        return logged

    def _snapshots(self, profiles: Collection[Id], standing: Neighbourhood) -> dict[Id, str]:
        identifiers: defaultdict[Id, list[list[str]]] = defaultdict(list)
        for profile, kind, value_hash, *_ in self._tx.rows("identifiers_of", (list(profiles),)):
            identifiers[profile].append([kind, value_hash.hex()])
        members: defaultdict[Id, list[Id]] = defaultdict(list)
        for r, stored in standing.records.items():
            if stored.profile_id is not None:
                members[stored.profile_id].append(r)
        return {
            p: _snapshot(p, standing.profiles.get(p), sorted(members[p]), identifiers[p]) for p in profiles
        }


def _golden(profile: ProfileAfter) -> str:
    names = {r: str(r) for r in profile.golden.values()}
    return orjson.dumps({a: names[r] for a, r in sorted(profile.golden.items())}).decode()


def _snapshot(
    profile: Id, row: ProfileRow | None, records: Sequence[Id], identifiers: Sequence[Sequence[str]]
) -> str:
    if row is None:  # founded in this very transaction
        return orjson.dumps({"profile_id": str(profile), "version": 0, "records": []}).decode()
    return orjson.dumps(
        {
            "profile_id": str(profile),
            "version": row.version,
            "created_at": row.created_at.isoformat(),
            "is_merged": row.is_merged,
            "records": [str(r) for r in records],
            "golden": {a: str(r) for a, r in sorted(row.golden.items())},
            "identifiers": identifiers,
        }
    ).decode()


def _between(decision: Merged | Split, standing: Neighbourhood, settlement: Settlement) -> list[Edge]:
    """The strongest evidence between what moved and the other records of the two profiles, best first."""
    homes = {r: settlement.moves.get(r, s.profile_id) for r, s in standing.records.items()}
    both = {decision.source, decision.target}
    others = {r for r, p in homes.items() if p in both} - decision.records
    edges = [
        e
        for e in standing.edges
        if (e.low in decision.records and e.high in others)
        or (e.high in decision.records and e.low in others)
    ]
    return sorted(edges, key=lambda e: (-e.comparison.weight, e.low, e.high))[:_EVIDENCE_SHOWN]
