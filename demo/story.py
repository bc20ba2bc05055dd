"""One customer's story: two profiles, their merge with its evidence, and the merge undone.

Everything before the undoing is read from the merge log, so the same story can be told again at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from client import RetailBrain, ask
from demo.stream import truth
from pipeline.identity.ids import Id
from pipeline.store.database import Database, Transaction

ACTOR = "demo"
REASON = "the demo undoes a merge to show that nothing of it stays behind"


@dataclass(frozen=True, slots=True)
class Held:
    """A record of a profile, by its source's name for it, and the number of its events."""

    record: str
    events: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A profile at one moment."""

    profile_id: Id
    version: int
    records: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """`levels` is the strongest evidence of the merge: (attribute, level, log2 weight), `weight` its sum."""

    merge_log_id: Id
    before: tuple[Seen, Seen]
    merged_at: datetime
    confidence: float | None
    weight: float | None
    levels: tuple[tuple[str, str, float], ...]
    merged: Seen
    undone_at: datetime
    after: tuple[Seen, Seen]
    is_true: bool


def choose(database: Database, profiles: Sequence[Id]) -> tuple[Id, bool] | None:
    """The merge to tell of, and whether it is undone already; None where the profiles saw no merge.

    A merge that the truth calls wrong comes first, then the one with the most records.
    """
    with database.transaction() as tx:
        told = tx.row("story_told", {"actor": ACTOR, "profiles": list(profiles)})
        if told is not None:
            return cast(Id, told[0]), True
        candidates = tx.rows("story_candidates", (list(profiles),))
        everyone = [r for _, source, target in candidates for r in (*source, *target)]
        names = _names(tx, everyone)
    person = truth()

    def rank(row: tuple[Id, list[Id], list[Id]]) -> tuple[bool, int, Id]:
        members = [*row[1], *row[2]]
        persons = {person.get(names[r].record) for r in members}
        return (len(persons) == 1, -len(members), row[0])

    best = min(((m, s, t) for m, s, t in candidates), key=rank, default=None)
    return None if best is None else (best[0], False)


def undo(client: RetailBrain, merge_log_id: Id) -> None:
    """Roll the merge back, as a steward would."""
    client.ask(ask.rollback(str(merge_log_id), REASON, actor=ACTOR))


def recall(database: Database, client: RetailBrain, merge_log_id: Id) -> Story:
    """The story of a merge that was undone."""
    with database.transaction() as tx:
        row = tx.row("story_of", (merge_log_id,))
        if row is None:
            raise AssertionError(f"merge {merge_log_id} was not undone")
        source, source_before, target, target_before, confidence, details, merged_at, merged, undone_at = row[
            :9
        ]
        before = (_seen(tx, target_before), _seen(tx, source_before))
        together = _seen(tx, merged)
        after = tuple(
            _seen(tx, client.ask(ask.profile(str(p))).model_dump(mode="json")) for p in (target, source)
        )
    evidence = details.get("evidence") or [{}]
    person = truth()
    return Story(
        merge_log_id=merge_log_id,
        before=before,
        merged_at=merged_at,
        confidence=confidence,
        weight=evidence[0].get("weight"),
        levels=tuple((a, level, weight) for a, level, weight in evidence[0].get("levels", ())),
        merged=together,
        undone_at=undone_at,
        after=(after[0], after[1]),
        is_true=len({person.get(h.record) for side in before for h in side.records}) == 1,
    )


def _seen(tx: Transaction, profile: Mapping[str, object]) -> Seen:
    """A profile as a snapshot or the gateway shows it."""
    records = cast(Sequence[str], profile["records"] if "records" in profile else profile["record_ids"])
    ids = [Id.parse(r) for r in records]
    names = _names(tx, ids)
    return Seen(
        Id.parse(str(profile["profile_id"])),
        int(cast(int, profile["version"])),
        tuple(sorted((names[r] for r in ids if r in names), key=lambda h: h.record)),
    )


def _names(tx: Transaction, records: Sequence[Id]) -> dict[Id, Held]:
    return {r: Held(name or str(r), n) for r, name, n in tx.rows("named_records", (list(set(records)),))}
