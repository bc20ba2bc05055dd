"""Merges that no longer hold: undone at once where few records are concerned, else proposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from pipeline.codes import ReasonCode
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, Split
from pipeline.identity.policy import Policy
from pipeline.identity.settle import Settlement, settle
from pipeline.inprocess import resolve_batch
from pipeline.matching import gather
from pipeline.revoking import AnsweredReview, decide_without
from pipeline.store.memory import MemoryIdentityStore
from tests.support.concurrent import ActInMemory
from tests.support.ids import numbered
from tests.support.people import START, Person, model, narrow, person, ring

EMAIL = {"email": "family@mailbox.net"}
BARE = [person({**EMAIL, "cookie_id": f"c-{n}"}, minute=n) for n in range(5)]
JOHN = person(EMAIL, minute=10, first_name="John", last_name="Smith")
MARY = person(EMAIL, minute=11, first_name="Mary", last_name="Jones", date_of_birth="1980-01-02")
NEIGHBOUR = person(
    {"device_id": "d-9"}, minute=9, first_name="Mary", last_name="Jones", date_of_birth="1980-01-02"
)


class House:
    """Records that arrive one by one under a policy by which two people already share an e-mail."""

    def __init__(self, split_limit: int) -> None:
        self.policy: Policy = replace(narrow(cap=50, limit=1), split_limit=split_limit)
        self.store = MemoryIdentityStore(ring().current.match)
        self._ids = (numbered(n) for n in count(1000))

    def arrive(self, *people: Person) -> list[Settlement]:
        return [
            resolve_batch(
                self.store, {p.record_id: p.arrival}, model(), self.policy, lambda: next(self._ids), START
            )
            for p in people
        ]

    def decide_afresh(self, profile: Id) -> Settlement:
        found = gather({}, {}, {}, self.store, model(), self.policy, also=frozenset({profile}))
        settlement = settle(found.neighbourhood, model(), self.policy, lambda: next(self._ids), START)
        self.store.write(found, settlement, {}, {})
        return settlement

    def take_back(self, word: Constraint, answered: AnsweredReview) -> Settlement:
        act = ActInMemory(self.store, self.policy, lambda: next(self._ids))
        act.revoke([word])
        _, found, settlement = decide_without(act, [word], {}, answered)
        self.store.write(found, settlement, {}, {})
        return settlement

    def home(self, who: Person) -> Id:
        return self.store.standing([who.record_id])[who.record_id].profile_id

    def together(self, people: Sequence[Person]) -> bool:
        return len({self.home(p) for p in people}) == 1


def test_a_small_profile_falls_apart_at_once_and_says_why() -> None:
    house = House(split_limit=6)
    house.arrive(*BARE, JOHN, NEIGHBOUR)
    assert house.together([*BARE, JOHN])
    (settlement,) = house.arrive(MARY)
    splits = [d for d in settlement.decisions if isinstance(d, Split)]
    assert splits
    assert {d.reason for d in splits} == {ReasonCode.SHARED_IDENTIFIER}
    assert len({house.home(p) for p in [*BARE, JOHN]}) == 6
    assert settlement.proposals == ()
    assert not house.store.proposals


def test_a_large_profile_stays_whole_and_its_split_is_proposed() -> None:
    house = House(split_limit=5)
    house.arrive(*BARE, JOHN, NEIGHBOUR)
    large, before = house.home(JOHN), house.store.profiles[house.home(JOHN)]
    (settlement,) = house.arrive(MARY)
    assert house.together([*BARE, JOHN])
    (proposal,) = house.store.proposals.values()
    assert (proposal.profile, proposal.reason) == (large, ReasonCode.MERGE_NO_LONGER_HOLDS)
    assert {p.record_id for p in [*BARE, JOHN]} == frozenset().union(*proposal.parts)
    assert all(len(part) == 1 for part in proposal.parts)
    assert settlement.held == {large: True}
    # nothing else is disturbed: the profile is what it was, and Mary is found by her neighbour's record
    assert house.store.profiles[large] == replace(before, held=True)
    assert house.home(MARY) == house.home(NEIGHBOUR) != large
    assert not [d for d in settlement.decisions if isinstance(d, Split)]


def test_a_held_profile_stays_whole_while_others_come() -> None:
    house = House(split_limit=5)
    house.arrive(*BARE, JOHN, NEIGHBOUR, MARY)
    cookie = person({"cookie_id": "c-1", "device_id": "d-1"}, minute=20)
    (settlement,) = house.arrive(cookie)
    assert house.together([*BARE, JOHN, cookie])
    assert settlement.held == {}
    (proposal,) = house.store.proposals.values()
    assert frozenset({BARE[1].record_id, cookie.record_id}) in proposal.parts
    assert len(proposal.parts) == 6


def test_what_is_parted_from_a_held_profile_takes_along_what_belongs_to_it() -> None:
    house = House(split_limit=5)
    house.arrive(*BARE, JOHN, NEIGHBOUR, MARY)
    later = [person({"cookie_id": "c-1", "device_id": f"d-{n}"}, minute=20 + n) for n in range(4)]
    house.arrive(*later)
    large = house.home(JOHN)
    rest = frozenset(p.record_id for p in [BARE[0], *BARE[2:], JOHN])
    house.store.rules.append(Constraint(ConstraintKind.CANNOT_LINK, frozenset({BARE[1].record_id}), rest))
    house.decide_afresh(large)
    assert house.together([BARE[1], *later])
    assert house.together([BARE[0], *BARE[2:], JOHN])
    assert house.home(BARE[1]) != house.home(JOHN)


def test_evidence_that_holds_it_together_after_all_ends_the_proposal() -> None:
    house = House(split_limit=5)
    house.arrive(*BARE, JOHN, NEIGHBOUR, MARY)
    every = person({"cookie_id": [f"c-{n}" for n in range(5)]}, minute=20)
    bridge = person({**EMAIL, "cookie_id": "c-0"}, minute=21, first_name="John", last_name="Smith")
    settlement = house.arrive(every, bridge)[-1]
    assert house.together([*BARE, JOHN, every, bridge])
    assert not house.store.proposals
    assert settlement.held == {house.home(JOHN): False}


def test_a_steward_who_says_one_person_ends_the_proposal() -> None:
    house = House(split_limit=5)
    house.arrive(*BARE, JOHN, NEIGHBOUR, MARY)
    (proposal,) = house.store.proposals.values()
    records = frozenset().union(*proposal.parts)
    house.store.rules.append(Constraint(ConstraintKind.MUST_LINK, records, frozenset()))
    settlement = house.decide_afresh(proposal.profile)
    assert house.together([*BARE, JOHN])
    assert settlement.held == {proposal.profile: False}
    assert not house.store.proposals


def test_a_steward_who_takes_that_back_is_asked_again() -> None:
    house = House(split_limit=5)
    house.arrive(*BARE, JOHN, NEIGHBOUR, MARY)
    (before,) = house.store.proposals.values()
    records = frozenset().union(*before.parts)
    kept = Constraint(ConstraintKind.MUST_LINK, records, frozenset())
    house.store.rules.append(kept)
    house.decide_afresh(before.profile)
    assert not house.store.proposals
    asked = AnsweredReview("split", before.profile, before.profile)
    settlement = house.take_back(kept, asked)
    assert house.together([*BARE, JOHN])
    assert settlement.held == {before.profile: True}
    assert house.store.proposals == {before.profile: before}
    # of any other review it is taken back without a question
    house.store.rules.append(kept)
    house.decide_afresh(before.profile)
    house.take_back(kept, asked._replace(kind="merge"))
    assert len({house.home(p) for p in BARE}) == 5
    assert not house.store.proposals


def test_a_steward_who_parts_them_is_obeyed_and_what_is_left_stays_proposed() -> None:
    house = House(split_limit=5)
    house.arrive(*BARE, JOHN, NEIGHBOUR, MARY)
    (proposal,) = house.store.proposals.values()
    john, rest = frozenset({JOHN.record_id}), frozenset(p.record_id for p in BARE)
    house.store.rules.append(Constraint(ConstraintKind.CANNOT_LINK, john, rest))
    house.decide_afresh(proposal.profile)
    assert house.together(BARE)
    assert house.home(JOHN) != house.home(BARE[0])
    (left,) = house.store.proposals.values()
    assert left.profile == house.home(BARE[0])
    assert frozenset().union(*left.parts) == rest
    house.decide_afresh(left.profile)  # five records are few enough
    assert len({house.home(p) for p in BARE}) == 5
    assert not house.store.proposals


def test_a_record_of_a_large_profile_still_moves_where_better_evidence_draws_it() -> None:
    house = House(split_limit=1)
    ann = person({"phone": "+14155550101"}, first_name="Ann", last_name="Berg", date_of_birth="1950-01-01")
    bare = person({"phone": "+14155550101", "cookie_id": "c-7"}, minute=1)
    zed = person(
        {"phone": "+14155550101", "cookie_id": "c-7"},
        minute=2,
        first_name="Zed",
        last_name="Berg",
        date_of_birth="1985-07-11",
    )
    house.policy = replace(narrow(cap=50, limit=5), split_limit=1)
    house.arrive(ann, bare)
    assert house.together([ann, bare])
    (settlement,) = house.arrive(zed)
    assert house.together([bare, zed])
    assert not house.store.proposals
    assert [d.reason for d in settlement.decisions if isinstance(d, Split)] == [ReasonCode.BETTER_CLUSTER]
