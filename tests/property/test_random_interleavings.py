"""Small scenarios that nobody thought of: every interleaving of drawn records and a steward leaves one truth.

RB_TEST_SCENARIOS=3000 draws so many.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.identity.ids import Id
from pipeline.identity.model import ConstraintKind
from pipeline.identity.policy import Policy
from tests.property.test_interleavings import COOKIE, A, B, C, one_truth, revoking, said, taking_out, world
from tests.support.concurrent import World
from tests.support.interleavings import Bodies
from tests.support.people import Person, narrow, person

SCENARIOS = int(os.environ.get("RB_TEST_SCENARIOS", "30"))
MOST_RUNS = 20_000
NAMES: tuple[dict[str, str], ...] = (
    {},
    {"first_name": "Anna", "last_name": "Kowalski"},
    {"first_name": "Jon", "last_name": "Kowalski"},
    {"first_name": "Mary", "last_name": "Smith"},
    {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"},
    {"first_name": "Anna", "last_name": "Smith", "city": "Berlin"},
)
policies = st.builds(narrow, st.sampled_from([3, 4, 50]), st.sampled_from([1, 2, 5]))


@st.composite
def crowds(draw: st.DrawFn) -> list[Person]:
    """Three to five records that share some identifiers, distinct by a device where they are otherwise alike."""
    found = {}
    for n in range(draw(st.integers(3, 5))):
        shared = draw(st.lists(st.sampled_from([A, B, C, COOKIE]), min_size=1, max_size=3))
        held = {kind: value for some in shared for kind, value in some.items()}
        if draw(st.booleans()):
            held["device_id"] = f"d-{draw(st.integers(0, 10**6))}"
        bought = draw(st.sampled_from([(), range(2, 12)]))
        made = person(held, minute=n, products=bought, **draw(st.sampled_from(NAMES)))
        found[made.record_id] = made
    return list(found.values())


@settings(max_examples=SCENARIOS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(crowds(), policies, st.data())
def test_drawn_records_and_a_steward_leave_one_truth(
    people: list[Person], rules: Policy, data: st.DataObject
) -> None:
    before = data.draw(st.integers(max(0, len(people) - 2), len(people) - 1), label="stand before")
    acts: list[Steward] = [lambda w: []]
    acts += [partial(_takes_out, chosen=p) for p in victims(people[:before], rules)]
    acts += [
        partial(_takes_back, kind=kind, pair=pair)
        for kind in ConstraintKind
        for pair in combinations(people[:before], 2)
    ]
    steward = data.draw(st.sampled_from(acts), label="steward")
    one_truth(
        people,
        before,
        lambda w: [*steward(w), *(w.resolving(p) for p in people[before:])],
        rules,
        MOST_RUNS,
    )


Steward = Callable[[World], Bodies]


def _takes_out(w: World, chosen: Person) -> Bodies:
    home = w.store.standing([chosen.record_id])[chosen.record_id].profile_id
    return [w.acting(taking_out(w, home, chosen))]


def _takes_back(w: World, kind: ConstraintKind, pair: tuple[Person, Person]) -> Bodies:
    """What was said before of two who stood already."""
    return [w.acting(revoking(said(w, kind, *pair)))]


def victims(people: list[Person], rules: Policy) -> list[Person]:
    """Those who do not stand alone."""
    store = world(people, rules).store
    members: defaultdict[Id, list[Person]] = defaultdict(list)
    for p in people:
        members[store.standing([p.record_id])[p.record_id].profile_id].append(p)
    return [p for some in members.values() if len(some) > 1 for p in some]
