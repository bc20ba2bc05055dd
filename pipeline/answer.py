"""Answer a review: put the constraints that say it, decide its neighbourhood afresh, in one transaction.

A review is answered as it was asked or not at all. It is obsolete as soon as one of its profiles is merged or split, or
the parts of a proposal fall otherwise; records that a profile has gained since go with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from pipeline.errors import Conflict, NotFound, TransactionConflict
from pipeline.identity.answer import RecordSet, came_true, constraints, is_forbidden
from pipeline.identity.ids import Id
from pipeline.matching import Found
from pipeline.seen import Seen, must_be_as_seen
from pipeline.steward import Act, Stewardship
from pipeline.store.database import Transaction
from pipeline.store.review_writer import MERGE, SPLIT
from pipeline.store.steward_actions import UNTOLD, Deed, Entry, Occasion


class Answer(StrEnum):
    """A steward's answer, and the status of a review that got it.

    Approved: do what is asked, merge the profiles or split the one. Rejected: never do it.
    """

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an answer. `profiles` hold the records it is about now: one, or one each.

    `merge_log_ids` tell what this call changed: nothing where the records stood so before, or the review was answered
    so before.
    """

    review_id: Id
    kind: str
    status: Answer
    profiles: tuple[Id, ...]
    merge_log_ids: tuple[Id, ...]


def answer_review(
    stewardship: Stewardship,
    review_id: Id,
    answer: Answer,
    actor: str,
    reason: str,
    now: datetime,
    *,
    seen: Seen = None,
    occasion: Occasion = UNTOLD,
) -> Answered:
    """Approve or reject a review, as it was `seen` if that is told. The same answer given again changes nothing.

    Raises NotFound (no such review), PreconditionFailed (it is not what was seen), Conflict (answered otherwise,
    obsolete, or not to be answered as it was asked; says what to do), BadInput (a blank reason), StoreUnavailable,
    TransactionConflict (the neighbourhood kept moving under several attempts).
    """
    try:
        action = partial(_answer, review_id=review_id, answer=answer, seen=seen)
        return stewardship.act(action, actor, reason, now, occasion=occasion)
    except _Otherwise as exc:
        afresh = partial(_decide_afresh, profiles=exc.profiles)
        stewardship.act(afresh, actor, None, now, occasion=occasion)
        raise Conflict(
            f"by the model and policy of today, or by what is known by now, more would change than review {review_id} "
            "shows. Its customers were decided afresh and nothing was answered: list the reviews again"
        ) from exc


class _Otherwise(Exception):
    """What would come of the answer is not what the steward saw."""

    def __init__(self, profiles: frozenset[Id]) -> None:
        super().__init__()
        self.profiles = profiles


class _Asked(NamedTuple):
    """A review as it is stored. `parts` of a proposed split; `etag` changes with all that it shows."""

    kind: str
    status: str
    low: Id
    high: Id
    parts: Sequence[Sequence[str]] | None
    asked_at: datetime
    etag: str


def _answer(act: Act, review_id: Id, answer: Answer, seen: Seen) -> Answered:
    asked = _review(act.tx, review_id)
    must_be_as_seen(f"review {review_id}", asked.etag, seen)
    if asked.status == answer:
        return _told(act.tx, review_id, asked, answer, ())
    must_be_open(act.tx, review_id, asked.kind, asked.status, asked.asked_at)
    profiles = frozenset((asked.low, asked.high))
    sides = _sides(act, asked)
    are_one = (asked.kind == MERGE) == (answer is Answer.APPROVED)
    for constraint in constraints(sides, are_one):
        act.constrain(constraint, review_id)
    found = act.gather(profiles)
    answered = act.reviews.answer(review_id, answer, asked.etag)
    if answered is None or _sides(act, asked) != sides:
        raise TransactionConflict("the review or one of its profiles moved before it was locked")
    _may_be_answered(asked, sides, are_one, found)
    settlement = act.settle(found, release=profiles if asked.kind == SPLIT else frozenset())
    home = {r: s.profile_id for r, s in found.neighbourhood.records.items() if s.profile_id is not None}
    if not came_true(sides, are_one, {**home, **settlement.moves}):
        raise _Otherwise(profiles)
    carried = act.carry_out(found, settlement, answered=(answered,))
    told = _told(act.tx, review_id, asked, answer, tuple(e.merge_log_id for e in carried.logged))
    deed = Deed.APPROVE if answer is Answer.APPROVED else Deed.REJECT
    act.note(Entry(deed, profiles.union(told.profiles), told.merge_log_ids, review_id))
    return told


def _decide_afresh(act: Act, profiles: frozenset[Id]) -> None:
    found = act.gather(profiles)
    act.note_decided(act.carry_out(found, act.settle(found)))


def _review(tx: Transaction, review_id: Id) -> _Asked:
    row = tx.row("review_to_answer", (review_id,))
    if row is None:
        raise NotFound(f"no review {review_id}")
    return _Asked(*row)


def must_be_open(tx: Transaction, review_id: Id, kind: str, status: str, since: datetime) -> None:
    """Raises Conflict where the review, which stands so `since` then, no longer waits."""
    if status == "obsolete":
        raise Conflict(
            f"review {review_id} is obsolete: what it asked about has changed since. List the reviews again; if there "
            "is still something to ask, a new one does"
        )
    if status == "pending":
        return
    given = tx.row("answer_given", (review_id,))  # none where all it named were forgotten
    actor, at, constraint, taken_back_by = given or ("somebody", since, None, "somebody")
    if status == "revoked":
        raise Conflict(
            f"the answer to review {review_id} was taken back, by {taken_back_by} on {since:%Y-%m-%d}. List the "
            "reviews again; if there is still something to ask, a new one does"
        )
    undo = "roll back the merge it made, or " if (kind, status) == (MERGE, Answer.APPROVED) else ""
    way = f"; to take it back, {undo}revoke constraint {constraint}" if constraint else ""
    raise Conflict(f"review {review_id} was {status} before, by {actor} on {at:%Y-%m-%d}: that stands{way}")


def _sides(act: Act, asked: _Asked) -> tuple[RecordSet, ...]:
    """The records that the review asks about, as they stand."""
    if asked.parts is None:
        return act.store.members((asked.low,)), act.store.members((asked.high,))
    return tuple(RecordSet(map(Id.parse, part)) for part in asked.parts)


def _may_be_answered(asked: _Asked, sides: tuple[RecordSet, ...], are_one: bool, found: Found) -> None:
    """Raises Conflict where something else has to be said first, or was."""
    held = [p for p in (asked.low, asked.high) if found.neighbourhood.profiles[p].held]
    if asked.kind == MERGE and held:
        raise Conflict(
            f"profile {held[0]} waits for an answer whether it is to be split: give that one first"
        )
    if are_one and is_forbidden(sides, found.neighbourhood.constraints):
        other = "reject" if asked.kind == MERGE else "approve"
        raise Conflict(
            f"a steward or a rollback said before that records of these are two people, which outweighs it: {other} "
            "the review"
        )


def _told(tx: Transaction, review_id: Id, asked: _Asked, answer: Answer, logged: tuple[Id, ...]) -> Answered:
    profiles = tuple(p for (p,) in tx.rows("profiles_answered", (review_id,)))
    return Answered(review_id, asked.kind, answer, profiles, logged)
