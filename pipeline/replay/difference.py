"""What today's logic makes of the stored events, against what stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.replay.constraints import Followed, all_followed
from pipeline.replay.succession import Change, ChangeKind, Part, Step, Succession, succession
from pipeline.store.database import Transaction
from pipeline.unmerge.outcome import name_of


@dataclass(frozen=True, slots=True)
class Counts:
    """How many customers there are and would be; how many of today's would go into others, be split or exchange events,
    be new, be gone, keep their events but change in their records, golden values or consent, and stay as they are. How
    many events would come to another customer, come to name somebody, and name nobody any more."""

    customers: int
    customers_then: int
    merged: int
    split: int
    mixed: int
    new: int
    gone: int
    changed: int
    untouched: int
    events_moved: int
    events_gained: int
    events_lost: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A step, under the id its entry in the merge log is to have, and the records that move."""

    merge_log_id: Id
    step: Step
    records: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A steward's constraint that does not mean what it meant: `followed` says how far."""

    constraint_id: Id
    followed: Followed


@dataclass(frozen=True, slots=True)
class Difference:
    """All of it. `altered` maps customers that are not as the live one of their id to whether it is new; `renewed` are
    those of them that hold the same events; `kept` counts by reason the events that could not be normalized anew, and
    `before` those that came earlier than asked for. `plan` names it: whoever gives it to an activation gets this or
    nothing.
    """

    counts: Counts
    changes: tuple[Change, ...]
    moved: tuple[Moved, ...]
    altered: Mapping[Id, bool]
    renewed: tuple[Id, ...]
    gone: frozenset[Id]
    withheld: frozenset[Id]
    words: tuple[Word, ...]
    kept: tuple[tuple[str, int], ...]
    before: int
    plan: str

    def as_dict(self) -> dict[str, object]:
        """For JSON: every change by ids."""
        return {
            "plan": self.plan,
            "counts": asdict(self.counts),
            "changes": [
                {"kind": c.kind.value, "before": [*map(str, c.before)], "after": [*map(str, c.after)]}
                for c in self.changes
            ],
            "moves": [
                {
                    "kind": m.step.kind,
                    "source": str(m.step.source),
                    "target": str(m.step.target),
                    "records": [*map(str, m.records)],
                }
                for m in self.moved
            ],
            "changed": [*map(str, self.renewed)],
            "constraints": [
                {
                    "constraint_id": str(w.constraint_id),
                    "kind": w.followed.constraint.kind.value,
                    "lost": [str(r) for r in sorted(w.followed.lost)],
                    "one": [str(r) for r in sorted(w.followed.one)],
                    "holds": w.followed.holds,
                }
                for w in self.words
            ],
            "kept": dict(self.kept),
            "older": self.before,
        }

    @property
    def is_none(self) -> bool:
        """Whether every customer stays as it is."""
        return not (self.changes or self.altered)


def difference(tx: Transaction) -> Difference:
    """Compare the two houses, and note in the shadow which ids its customers are to have. Raises StoreUnavailable."""
    tx.run("plan_for_whole_tables")
    tx.run("clear_difference")
    tx.run("fill_atoms")
    tx.run("look_at_atoms")
    parts = [Part(*row) for row in tx.rows("replay_parts")]
    found = succession(parts, lambda profiles: _births(tx, profiles), new_id)
    moved = _note(tx, found)
    altered: dict[Id, bool] = dict(tx.rows("replay_changed"))
    told = {p for change in found.changes for p in (*change.before, *change.after)}
    renewed = tuple(sorted(altered.keys() - told))
    withheld = frozenset(p for (p,) in tx.rows("replay_withheld", (sorted(found.gone),)))
    tx.run("plan_for_few_rows")
    words = tuple(Word(i, f) for i, f in sorted(all_followed(tx).items()) if f.lost or f.one or not f.holds)
    return Difference(
        _counts(tx, found, renewed),
        found.changes,
        moved,
        altered,
        renewed,
        found.gone - withheld,
        withheld,
        words,
        tuple((reason, count) for reason, count in tx.rows("kept_events")),
        (tx.row("kept_before") or (0,))[0],
        _plan(moved, altered, found.gone),
    )


def _births(tx: Transaction, profiles: Iterable[Id]) -> dict[Id, datetime]:
    wanted = sorted(profiles)
    return dict(tx.rows("replay_created", (wanted,))) if wanted else {}


def _note(tx: Transaction, found: Succession) -> tuple[Moved, ...]:
    """Put down heirs and steps, and see which records move."""
    tx.copy("copy_heirs", ("uuid", "uuid"), sorted(found.heirs.items()))
    steps = {new_id(): step for step in found.steps}
    if not steps:
        return ()
    rows = [(i, *step) for i, step in steps.items()]
    tx.copy("copy_replay_decisions", ("uuid", "text", "uuid", "uuid"), rows)
    records: dict[Id, Sequence[Id]] = dict(tx.rows("replay_moved"))
    return tuple(Moved(i, step, tuple(records[i])) for i, step in steps.items())


def _counts(tx: Transaction, found: Succession, renewed: Sequence[Id]) -> Counts:
    row = tx.row("replay_counts")
    assert row is not None
    before, after, moved, gained, lost = row
    of = {kind: [c for c in found.changes if c.kind is kind] for kind in ChangeKind}
    touched = {p for c in found.changes for p in c.before} | set(renewed)
    return Counts(
        customers=before,
        customers_then=after,
        merged=sum(len(c.before) for c in of[ChangeKind.MERGE]),
        split=len(of[ChangeKind.SPLIT]),
        mixed=sum(len(c.before) for c in of[ChangeKind.MIXED]),
        new=len(of[ChangeKind.NEW]),
        gone=len(of[ChangeKind.GONE]),
        changed=len(renewed),
        untouched=before - len(touched),
        events_moved=moved,
        events_gained=gained,
        events_lost=lost,
    )


def _plan(moved: Sequence[Moved], altered: Mapping[Id, bool], gone: frozenset[Id]) -> str:
    """The same whatever ids new customers get, and whoever else came meanwhile."""
    known = {p for p, is_new in altered.items() if not is_new}
    sources = {m.step.source for m in moved}
    return name_of(
        [
            f"{m.step.kind}:{m.step.source}>{m.step.target if m.step.target in known | sources else 'new'}:"
            f"{','.join(map(str, m.records))}"
            for m in moved
        ]
        + [f"changed:{p}" for p in known]
        + [f"gone:{p}" for p in gone]
    )
