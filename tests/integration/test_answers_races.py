"""Answers, and taking them back, while others decide about the same customers: who comes second sees what the first
one did.

The first is stopped between its last statement and its commit, with all its locks; only once Postgres says that the
second waits for one of them is it let go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from typing import TypeVar

import pytest

from pipeline.answer import Answer, Answered, answer_review
from pipeline.errors import Conflict, PreconditionFailed, TransactionConflict
from pipeline.identity.ids import Id
from pipeline.joining import Joined, join_profiles
from pipeline.review_queue import assign_review
from pipeline.revoking import Revoked, revoke_constraint
from pipeline.seen import Seen
from pipeline.store.constraints import read_constraint
from pipeline.store.database import Database, Transaction
from pipeline.store.reviews import StoredReview, read_review
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import Unmerged
from pipeline.unmerge.rollback import rollback_merge
from pipeline.verify.verification import verify
from tests.integration.test_answers import ANNA, EMAIL, RULES, constraints, doubt, home_of, proposal, told
from tests.support.people import model, ring
from tests.support.pipeline import EventIn, StagesOnPostgres, event
from tests.support.processes import PATIENCE_S

T = TypeVar("T")


class Gated(Database):
    """Once `is_shut`, it commits only when it is let."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, "first")
        self.is_shut = False
        self.at_the_end, self.go = Event(), Event()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with super().transaction() as tx:
            yield tx
            if self.is_shut:
                self.at_the_end.set()
                assert self.go.wait(PATIENCE_S)


class Race:
    """Runs two after each other although they begin together."""

    def __init__(self, dsn: str) -> None:
        self.stages = StagesOnPostgres(dsn, rules=RULES)
        self._first, self._second = Gated(dsn), Database(dsn, "second")
        self.stages.resolve = self.stages.worker(self._first)

    def run(self, first: Callable[[Database], object], second: Callable[[Database], T]) -> Future[T]:
        """Both have ended when it returns; the first one without an error."""
        self._first.is_shut = True
        with ThreadPoolExecutor(2) as pool:
            ahead = pool.submit(first, self._first)
            try:
                assert self._first.at_the_end.wait(PATIENCE_S), ahead.exception(0)
                behind = pool.submit(second, self._second)
                self._until_it_waits()
            finally:
                self._first.go.set()
            ahead.result()
        return behind

    def _until_it_waits(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self.stages.rows(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'second' AND wait_event_type = 'Lock'"
        ):
            assert time.monotonic() < deadline, "the second does not wait for the first"
            time.sleep(0.01)

    def answering(self, review: Id, answer: Answer, seen: Seen = None) -> Callable[[Database], Answered]:
        by = self.stages.stewardship()
        return lambda database: answer_review(
            replace(by, database=database), review, answer, *self.who(), seen=seen
        )

    def assigning(
        self, review: Id, to: str, actor: str, seen: Seen = None
    ) -> Callable[[Database], StoredReview]:
        by = self.stages.stewardship()
        return lambda database: assign_review(
            replace(by, database=database), review, to, actor, None, datetime.now(UTC), seen=seen
        )

    def revoking(
        self, constraint: Id, actor: str = "ann", seen: Seen = None
    ) -> Callable[[Database], Revoked]:
        by = self.stages.stewardship()
        asked = Asked(actor, "it was wrong", datetime.now(UTC))
        return lambda database: revoke_constraint(
            replace(by, database=database), constraint, asked, seen=seen
        )

    def who(self) -> tuple[str, str, datetime]:
        return "steward", "I know them", datetime.now(UTC)

    def etag(self, review: Id) -> Seen:
        with self.stages.database.transaction() as tx:
            return frozenset((read_review(tx, review).etag,))

    def resolving(self, *events: EventIn) -> Callable[[Database], None]:
        batch = self.stages.to_resolve(self.stages.normalized(*events))

        def resolve(database: Database) -> None:
            worker = self.stages.resolve if database is self._first else self.stages.worker(database)
            try:
                worker.handle(batch)
            except TransactionConflict:  # as the loop does
                worker.handle(batch)

        return resolve

    def close(self) -> None:
        self._first.close()
        self._second.close()
        self.stages.close()


@pytest.fixture
def race(database: str) -> Iterator[Race]:
    opened = Race(database)
    yield opened
    stages = opened.stages
    assert [f.as_dict() for f in verify(stages.database, ring(), model(), stages.rules).faults] == []
    opened.close()


NEXT = event(3, {"loyalty_id": "L-1001", "cookie_id": "c-1"}, traits=ANNA)


def test_an_answer_takes_in_what_was_resolved_just_before(race: Race) -> None:
    review = doubt(race.stages)
    race.run(race.resolving(NEXT), race.answering(review, Answer.REJECTED)).result()
    assert home_of(race.stages, 3) == home_of(race.stages, 1)
    assert sorted(constraints(race.stages)[0][1:]) == [1, 2]


def test_an_answer_that_is_overtaken_by_a_merge_is_refused(race: Race) -> None:
    review = doubt(race.stages)
    race.stages.send(event(3, {"phone": "+14155550101"}))
    merging = event(4, {"phone": "+14155550101", "loyalty_id": "L-1001"}, traits=ANNA)
    late = race.run(race.resolving(merging), race.answering(review, Answer.APPROVED))
    with pytest.raises(Conflict, match="is obsolete"):
        late.result()
    assert constraints(race.stages) == []


def test_a_split_whose_parts_came_together_just_before_is_not_approved(race: Race) -> None:
    review = proposal(race.stages, 20, 21)
    joining = event(30, {"cookie_id": ["c-20", "c-21"]})
    late = race.run(race.resolving(joining), race.answering(review, Answer.APPROVED))
    with pytest.raises(Conflict, match="is obsolete"):
        late.result()
    assert race.stages.review("split") != review
    assert len({home_of(race.stages, n) for n in (1, 2, 20, 21, 30)}) == 1


def test_what_is_resolved_just_after_a_split_keeps_to_it(race: Race) -> None:
    review = proposal(race.stages, 20, 21)
    joining = event(30, {"cookie_id": ["c-20", "c-21"]})
    race.run(race.answering(review, Answer.APPROVED), race.resolving(joining)).result()
    homes = [home_of(race.stages, n) for n in (1, 2, 20, 21)]
    assert len(set(homes)) == 4
    assert home_of(race.stages, 30) in homes[2:]


@pytest.mark.parametrize("answer", Answer)
def test_what_is_resolved_just_after_an_answer_keeps_to_it(race: Race, answer: Answer) -> None:
    review = doubt(race.stages)
    race.run(race.answering(review, answer), race.resolving(NEXT)).result()
    homes = {home_of(race.stages, n) for n in (1, 2, 3)}
    assert len(homes) == (1 if answer is Answer.APPROVED else 2)


def test_of_two_stewards_who_agree_one_is_told_that_it_was_done(race: Race) -> None:
    review = doubt(race.stages)
    first = race.answering(review, Answer.APPROVED)
    late = race.run(first, race.answering(review, Answer.APPROVED)).result()
    assert late.merge_log_ids == ()
    assert len(constraints(race.stages)) == 1
    assert told(race.stages, "merge") == ["pending", "approved"]


def test_of_two_stewards_who_differ_the_second_is_refused(race: Race) -> None:
    review = doubt(race.stages)
    first = race.answering(review, Answer.REJECTED)
    late = race.run(first, race.answering(review, Answer.APPROVED))
    with pytest.raises(Conflict, match="was rejected before, by steward"):
        late.result()
    assert len(race.stages.profiles()) == 2


@pytest.mark.parametrize("second", Answer)
def test_of_two_stewards_who_read_the_same_the_second_is_told(race: Race, second: Answer) -> None:
    """Though both conditions held when they began, and though they may agree."""
    review = doubt(race.stages)
    seen = race.etag(review)
    late = race.run(race.answering(review, Answer.REJECTED, seen), race.answering(review, second, seen))
    with pytest.raises(PreconditionFailed, match="read it again"):
        late.result()
    assert told(race.stages, "merge") == ["pending", "rejected"]
    assert len(constraints(race.stages)) == 1


def test_what_came_since_it_was_read_is_not_answered_unseen(race: Race) -> None:
    review = doubt(race.stages)
    better = event(
        3, {"loyalty_id": "L-1001", **EMAIL}, traits={**ANNA, "postcode": "10115", "city": "Berlin"}
    )
    more = event(4, {"loyalty_id": "L-2002", **EMAIL}, traits={**ANNA, "postcode": "10115", "city": "Berlin"})
    race.stages.send(better)
    seen = race.etag(review)
    late = race.run(race.resolving(more), race.answering(review, Answer.APPROVED, seen))
    with pytest.raises(PreconditionFailed, match="read it again"):
        late.result()
    assert race.stages.review() == review
    assert constraints(race.stages) == []


def test_of_two_stewards_who_take_the_same_review_the_second_is_told(race: Race) -> None:
    review = doubt(race.stages)
    late = race.run(race.assigning(review, "ann", "ann"), race.assigning(review, "ben", "ben"))
    with pytest.raises(Conflict, match=f"review {review} is assigned to ann: to take it from them, read it"):
        late.result()
    seen = race.etag(review)
    taken = race.assigning(review, "ben", "ben", seen)(race.stages.database)
    assert (taken.assigned_to, frozenset((taken.etag,)) != seen) == ("ben", True)
    with pytest.raises(PreconditionFailed):
        race.assigning(review, "cem", "cem", seen)(race.stages.database)


def test_a_review_that_was_taken_meanwhile_is_not_answered_unseen(race: Race) -> None:
    review = doubt(race.stages)
    seen = race.etag(review)
    late = race.run(race.assigning(review, "ann", "ann"), race.answering(review, Answer.APPROVED, seen))
    with pytest.raises(PreconditionFailed, match="read it again"):
        late.result()
    assert constraints(race.stages) == []
    assert len(race.stages.profiles()) == 2


def test_a_review_that_was_answered_meanwhile_is_not_assigned(race: Race) -> None:
    review = doubt(race.stages)
    late = race.run(race.answering(review, Answer.REJECTED), race.assigning(review, "ann", "ann"))
    with pytest.raises(Conflict, match="was rejected before, by steward"):
        late.result()


def test_of_two_stewards_who_join_the_same_profiles_the_second_is_told(race: Race) -> None:
    race.stages.send(event(1, {"email": "anna@mailbox.net"}))
    race.stages.send(event(2, {"phone": "+14155550101"}))
    profiles = [home_of(race.stages, n) for n in (1, 2)]
    by = race.stages.stewardship()

    def joining(database: Database) -> Joined:
        return join_profiles(replace(by, database=database), profiles, Asked(*race.who()))

    late = race.run(joining, joining)
    with pytest.raises(Conflict, match=f"was merged into {profiles[0]}, which is named as well"):
        late.result()
    assert len(constraints(race.stages)) == 1


def said(race: Race) -> Id:
    """The one constraint there is."""
    ((found,),) = race.stages.rows("SELECT constraint_id FROM identity_constraint")
    of: Id = found
    return of


@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_resolved_beside_a_revocation_goes_where_it_belongs_without_it(
    race: Race, answer: Answer, is_first: bool
) -> None:
    race.stages.answer(doubt(race.stages), answer)
    resolving, revoking = race.resolving(NEXT), race.revoking(said(race))
    if is_first:
        race.run(revoking, resolving).result()
    else:
        race.run(resolving, revoking).result()
    assert home_of(race.stages, 3) == home_of(race.stages, 1) != home_of(race.stages, 2)
    assert race.stages.review()


def test_of_two_stewards_who_revoke_the_same_the_second_is_told(race: Race) -> None:
    race.stages.answer(doubt(race.stages), Answer.APPROVED)
    late = race.run(race.revoking(said(race), "ann"), race.revoking(said(race), "ben"))
    with pytest.raises(Conflict, match="was revoked before, by ann"):
        late.result()
    assert race.stages.rows("SELECT revoked_by FROM identity_constraint") == [("ann",)]
    assert told(race.stages, "merge") == ["pending", "approved", "revoked", "pending"]


def test_of_two_stewards_who_read_the_same_the_second_does_not_revoke_it(race: Race) -> None:
    race.stages.answer(doubt(race.stages), Answer.REJECTED)
    with race.stages.database.transaction() as tx:
        seen = frozenset((read_constraint(tx, said(race)).etag,))
    late = race.run(race.revoking(said(race), "ann", seen), race.revoking(said(race), "ben", seen))
    with pytest.raises(PreconditionFailed, match="read it again"):
        late.result()


def test_an_answer_is_revoked_by_whichever_of_its_constraints_comes_first(race: Race) -> None:
    """Two stewards, each with another constraint of one answer, wait for each other in one order."""
    race.stages.answer(proposal(race.stages, 20, 21), Answer.APPROVED)
    one, other = (
        c for (c,) in race.stages.rows("SELECT constraint_id FROM identity_constraint ORDER BY 1 DESC")
    )
    late = race.run(race.revoking(one, "ann"), race.revoking(other, "ben"))
    with pytest.raises(Conflict, match=f"constraint {other} was revoked before, by ann"):
        late.result()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_rollback_outweighs_the_answer_that_is_taken_back_beside_it(race: Race, is_first: bool) -> None:
    (merge,) = race.stages.answer(doubt(race.stages), Answer.APPROVED).merge_log_ids
    by, revoking = race.stages.stewardship(), race.revoking(said(race))

    def rolling_back(database: Database) -> Unmerged:
        return rollback_merge(replace(by, database=database), merge, Asked(*race.who()))

    late = race.run(revoking, rolling_back) if is_first else race.run(rolling_back, revoking)
    if is_first:
        with pytest.raises(Conflict, match="no longer stand together"):
            late.result()
        assert race.stages.review()
    else:
        late.result()
        assert not race.stages.rows("SELECT FROM review_queue WHERE status = 'pending'")
    assert home_of(race.stages, 1) != home_of(race.stages, 2)
