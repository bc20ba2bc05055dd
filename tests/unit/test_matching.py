"""A batch may touch a profile in two ways at once; neither may harm it."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.codes import ReasonCode
from pipeline.identity.model import Constraint, ConstraintKind, RecordActivity, Split
from pipeline.identity.settle import settle
from pipeline.ids import new_id
from pipeline.inprocess import resolve_batch
from pipeline.matching import Arrival, gather
from pipeline.store.memory import MemoryIdentityStore
from tests.support.people import START, Person, model, narrow, person, policy, ring

ANN = {"first_name": "Ann", "last_name": "Lee"}


@pytest.mark.parametrize("identifier", [{"phone": "+14155559999"}, {"email": "zed@other.net"}])
@pytest.mark.parametrize(
    "traits",
    [
        ANN | {"postcode": "94107"},
        ANN | {"date_of_birth": "1984-05-02"},
        ANN | {"date_of_birth": "1984-01-05"},
        ANN | {"date_of_birth": "1985-05-01", "postcode": "94107"},
        {"first_name": "Bob", "last_name": "Lee", "date_of_birth": "1984-05-01", "postcode": "94107"},
    ],
)
def test_a_reordered_profile_is_not_split_by_a_doubtful_neighbour(
    identifier: dict[str, str], traits: dict[str, str]
) -> None:
    store = MemoryIdentityStore(ring().current.match)
    first = person({"email": "ann.lee@mailbox.net"}, **ANN, date_of_birth="1984-05-01", postcode="94107")
    second = person({"email": "ann.lee@mailbox.net", "phone": "+14155552671"}, minute=5, **ANN)
    for p in (first, second):
        resolve_batch(store, {p.record_id: p.arrival}, model(), policy(), new_id, START)
    assert len(store.partition()) == 1
    # one batch: the first record is seen again, later than the second, and somebody a little alike arrives
    at = START + timedelta(minutes=9)
    again = Arrival(RecordActivity(at, at, ("web",)), frozenset())
    other = person(identifier, minute=8, **traits)
    standing = copy.deepcopy(store)
    found = gather(
        {other.record_id: other.arrival},
        {first.record_id: again},
        standing.known({first.record_id: again.activity}),
        standing,
        model(),
        policy(),
    )
    decisions = settle(found.neighbourhood, model(), policy(), new_id, START).decisions
    assert not [d for d in decisions if isinstance(d, Split)]


def test_a_neighbourhood_too_large_to_look_at_is_left_as_it_is_and_told() -> None:
    rules = replace(policy(), neighbourhood_limit=2)
    store = MemoryIdentityStore(ring().current.match)
    loaded: list[int] = []

    def arrive(who: Person) -> None:
        found = gather({who.record_id: who.arrival}, {}, {}, store, model(), rules)
        loaded.append(len(found.neighbourhood.records))
        store.write(
            found,
            settle(found.neighbourhood, model(), rules, new_id, START),
            {who.record_id: who.arrival},
            {},
        )

    # a chain: each record is known by its cookie to the one before and by its device to the one after
    for n in range(24):
        arrive(person({"cookie_id": f"c-{n}", "device_id": f"d-{n}", "phone": f"+1415555{n:04}"}, minute=n))
        arrive(person({"device_id": f"d-{n}", "cookie_id": f"c-{n + 1}"}, minute=n))
    assert max(loaded) <= rules.load_limit + 1
    assert max(len(members) for members in store.partition()) <= rules.load_limit
    assert ReasonCode.NEIGHBOURHOOD_TOO_LARGE in {r.reason for r in store.reviews.values()}
    assert len(store.partition()) > 1


def test_who_was_told_apart_is_not_asked_about_though_the_other_profile_is_not_loaded() -> None:
    """The evidence leads to another record of it than the one that a steward told apart."""
    kowalski = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}
    hers = person({"email": "anna@mailbox.net"}, **kowalski)
    also_hers = person({"phone": "+14155550101"}, minute=1, **kowalski)
    bare = person({"phone": "+14155550101"}, minute=2)
    smith = person({"phone": "+14155550101"}, first_name="Mary", last_name="Smith")

    def is_asked(constraints: list[Constraint]) -> bool:
        made = MemoryIdentityStore(ring().current.match)
        made.rules += constraints
        for p in (smith, hers, also_hers, bare):
            resolve_batch(made, {p.record_id: p.arrival}, model(), narrow(50, 1), new_id, START)
        homes = {
            p.record_id: made.standing([p.record_id])[p.record_id].profile_id for p in (hers, also_hers, bare)
        }
        assert homes[hers.record_id] == homes[also_hers.record_id] != homes[bare.record_id]
        return tuple(sorted((homes[hers.record_id], homes[bare.record_id]))) in made.reviews

    assert is_asked([])
    apart = Constraint(ConstraintKind.CANNOT_LINK, frozenset({hers.record_id}), frozenset({bare.record_id}))
    assert not is_asked([apart])
