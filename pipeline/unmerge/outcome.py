"""What an unmerge does, or would do: the same in the rehearsal and in earnest."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.identity.ids import Id
from pipeline.identity.settle import Settlement
from pipeline.matching import Found
from pipeline.store.database import Transaction
from pipeline.store.review_writer import ReviewChange


class Destination(StrEnum):
    """Where moved records go: to a profile that comes back under its old id, a new one, or one that stands anyway."""

    RESTORED = "restored"
    NEW = "new"
    STANDING = "standing"


@dataclass(frozen=True, slots=True)
class Move:
    """Records that leave the profile `source` for `target`, with so many events and distinct identifiers."""

    source: Id
    target: Id
    destination: Destination
    records: tuple[Id, ...]
    events: int = 0
    identifiers: int = 0


@dataclass(frozen=True, slots=True)
class UndoneMerge:
    """What becomes of one merge. `restored` holds the source's records again, under its old id unless they belong to a
    customer that stands anyway; `kept` holds the target's. `blocked` says why it is not undone; then all else is None.
    `rollback_log_id` is None in a rehearsal, and where it had come apart before and nothing of it was left to undo.
    """

    merge_log_id: Id
    restored: Id | None = None
    kept: Id | None = None
    rollback_log_id: Id | None = None
    blocked: str | None = None


@dataclass(frozen=True, slots=True)
class Unmerged:
    """What an unmerge did, or would do (`rehearsed`).

    `plan` names what moves where: whoever gives it with the act gets this or nothing. `asked` and `retired` are how
    many reviews came and went.
    """

    merges: tuple[UndoneMerge, ...]
    moves: tuple[Move, ...]
    asked: int
    retired: int
    plan: str
    rehearsed: bool

    @classmethod
    def of(
        cls,
        merges: tuple[UndoneMerge, ...],
        moves: tuple[Move, ...],
        reviews: Sequence[ReviewChange],
        plan: str,
        rehearsed: bool,
    ) -> Unmerged:
        """What came of it, with the reviews counted."""
        asked = sum(review.status == "pending" for review in reviews)
        return cls(merges, moves, asked, len(reviews) - asked, plan, rehearsed)


def moves_of(found: Found, settlement: Settlement) -> tuple[Move, ...]:
    """What a settlement moves, by the profiles it leaves and comes to."""
    standing = found.neighbourhood
    moved: defaultdict[tuple[Id, Id], list[Id]] = defaultdict(list)
    for record, target in settlement.moves.items():
        source = standing.records[record].profile_id
        if source is not None:
            moved[source, target].append(record)
    return tuple(
        Move(source, target, _destination(target, found), tuple(sorted(records)))
        for (source, target), records in sorted(moved.items())
    )


def _destination(profile: Id, found: Found) -> Destination:
    row = found.neighbourhood.profiles.get(profile)
    if row is None:
        return Destination.NEW
    return Destination.RESTORED if row.is_merged else Destination.STANDING


def weighed(tx: Transaction, moves: Sequence[Move]) -> tuple[Move, ...]:
    """The moves with how many events and identifiers go with them."""
    records = [r for move in moves for r in move.records]
    numbers = [n for n, move in enumerate(moves) for _ in move.records]
    found = {n: (e, i) for n, e, i in tx.rows("weigh_moves", (records, numbers))} if records else {}
    return tuple(
        Move(m.source, m.target, m.destination, m.records, *found.get(n, (0, 0))) for n, m in enumerate(moves)
    )


def plan_of(named: Iterable[Id], moves: Iterable[Move]) -> str:
    """A name for what is undone or taken out (`named`) and what moves where: the same whatever ids new profiles get."""
    told = [*map(str, named)] + [
        f"{m.source}>{'new' if m.destination is Destination.NEW else m.target}:{','.join(map(str, m.records))}"
        for m in moves
    ]
    return name_of(told)


def name_of(told: Iterable[str]) -> str:
    """A short name for what is told, in whatever order."""
    return hashlib.sha256("\n".join(sorted(told)).encode()).hexdigest()[:16]
