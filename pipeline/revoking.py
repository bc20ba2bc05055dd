"""Take back what a steward, or a rollback, said of records: its constraints are revoked, and everybody they named is
decided afresh without them, in one transaction.

An answer to a review is taken back as a whole. What it made is undone as far as nothing else says the same: evidence,
other constraints. So customers are divided as if it had never been said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from pipeline.errors import Conflict, NotFound, TransactionConflict
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.identity.settle import Settlement
from pipeline.identity.undo import RecordSet, Undo, claims
from pipeline.matching import Found
from pipeline.seen import Seen, must_be_as_seen
from pipeline.steward import Act, Deciding, Stewardship, homes
from pipeline.store.database import Transaction
from pipeline.store.review_writer import SPLIT
from pipeline.store.steward_actions import Deed, Entry
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import Move, moves_of, plan_of, weighed


@dataclass(frozen=True, slots=True)
class Revoked:
    """What revoking did, or would do (`rehearsed`).

    `constraint_ids` are all that were revoked: of an answer to a review, `review_id`, every one it put.
    `merge_log_ids` tell the merges and splits that came of it; none in a rehearsal. `plan` names what moves where:
    whoever gives it with the act gets this or nothing. `asked` and `retired` are how many reviews came and went.
    """

    constraint_ids: tuple[Id, ...]
    review_id: Id | None
    merge_log_ids: tuple[Id, ...]
    moves: tuple[Move, ...]
    asked: int
    retired: int
    plan: str
    rehearsed: bool


class _Row(NamedTuple):
    """A constraint as it is stored."""

    constraint_id: Id
    kind: str
    left: Sequence[Id]
    right: Sequence[Id]
    review_id: Id | None
    revoked_at: datetime | None
    revoked_by: str | None
    etag: str

    @property
    def said(self) -> Constraint:
        return Constraint(ConstraintKind(self.kind), frozenset(self.left), frozenset(self.right))


class AnsweredReview(NamedTuple):
    """The review that constraints answer: a merge of two profiles, or a split of one, which is both."""

    kind: str
    low: Id
    high: Id


def revoke_constraint(
    stewardship: Stewardship, constraint_id: Id, asked: Asked, *, seen: Seen = None
) -> Revoked:
    """Revoke a constraint, as it was `seen` if that is told, and with it all that answer the same review.

    Raises NotFound (no such constraint), PreconditionFailed (it is not what was seen), Conflict (revoked before; not
    what the plan says), BadInput (a blank reason), StoreUnavailable, TransactionConflict (the neighbourhood kept moving
    under several attempts).
    """
    return asked.act(stewardship, partial(_revoke, constraint_id=constraint_id, asked=asked, seen=seen))


def _revoke(act: Act, constraint_id: Id, asked: Asked, seen: Seen) -> Revoked:
    rows = _to_revoke(act.tx, constraint_id, seen)
    ids, review_id = tuple(row.constraint_id for row in rows), rows[0].review_id
    act.revoke(ids)
    home, found, settlement = decide_without(
        act, [row.said for row in rows], _claims(act.tx, ids), _answered(act.tx, review_id)
    )
    taken_back = [] if review_id is None else [act.reviews.take_back(review_id)]
    moves = moves_of(found, settlement)
    plan = plan_of(ids, moves)
    asked.must_come_to(plan)
    carried = act.carry_out(found, settlement, answered=taken_back)
    logged = tuple(e.merge_log_id for e in carried.logged)
    profiles = {*home.values(), *(p for m in moves for p in (m.source, m.target))}
    act.note(Entry(Deed.REVOKE, profiles, logged, review_id, {"constraint_ids": [str(i) for i in ids]}))
    came, went = (sum(r.status == status for r in carried.reviews) for status in ("pending", "obsolete"))
    told = () if asked.rehearse else logged  # they get other ids when it is done
    return Revoked(ids, review_id, told, weighed(act.tx, moves), came, went, plan, asked.rehearse)


def decide_without(
    act: Deciding,
    revoked: Sequence[Constraint],
    claims: Mapping[Id, RecordSet],
    answered: AnsweredReview | None = None,
) -> tuple[dict[Id, Id], Found, Settlement]:
    """Decide afresh all who stand in the profiles of records that these constraints name, which are revoked by now.
    Where those records stood is told first.

    `claims` are the records that profiles had before what the constraints made, so that ids come back. Where they
    `answered` that a customer stays whole, it is held if it would fall apart, and its split proposed. Raises
    TransactionConflict.
    """
    named = frozenset().union(*(c.left | c.right for c in revoked))
    home = homes(act.store, named)
    act.heed(revoked)
    # the versions of those that the review names are told with it
    also = frozenset((answered.low, answered.high)) if answered else frozenset()
    found = act.gather(frozenset(home.values()) | claims.keys() | also)
    if homes(act.store, named) != home:
        raise TransactionConflict("a record of the constraint moved, or came, before its profile was locked")
    kept_whole = answered is not None and answered.kind == SPLIT
    kept_whole &= any(c.kind is ConstraintKind.MUST_LINK for c in revoked)
    hold = frozenset(home.values()) if kept_whole else frozenset()
    return home, found, act.settle(found, claims, hold=hold)


def _to_revoke(tx: Transaction, constraint_id: Id, seen: Seen) -> list[_Row]:
    """The constraint and all that answer the same review, locked. Raises NotFound, PreconditionFailed, Conflict."""
    rows = [_Row(*row) for row in tx.rows("constraints_to_revoke", {"constraint_id": constraint_id})]
    one = next((row for row in rows if row.constraint_id == constraint_id), None)
    if one is None:
        raise NotFound(f"no constraint {constraint_id}")
    must_be_as_seen(f"constraint {constraint_id}", one.etag, seen)
    if one.revoked_at is not None:
        raise Conflict(
            f"constraint {constraint_id} was revoked before, by {one.revoked_by} on {one.revoked_at:%Y-%m-%d}: there "
            "is nothing left to take back"
        )
    return rows


def _claims(tx: Transaction, constraints: Sequence[Id]) -> dict[Id, RecordSet]:
    """What the profiles that these constraints merged had before."""
    made = [
        Undo(merge, source, target, *(frozenset(map(Id.parse, had or ())) for had in sides))
        for merge, source, target, *sides in tx.rows("merges_of_constraints", (list(constraints),))
    ]
    return claims(made)


def _answered(tx: Transaction, review_id: Id | None) -> AnsweredReview | None:
    row = None if review_id is None else tx.row("review_answered", (review_id,))
    return None if row is None else AnsweredReview(*row)
