"""Many records that share identifiers: what is stored as evidence is a function of them, whoever came first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, count
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.identity.policy import Policy
from pipeline.identity.scratch import resolve_all
from pipeline.identity.twins import Circle, HoldersCompared
from pipeline.revoking import decide_without
from pipeline.unmerge.taking_out import part
from tests.property.test_order_does_not_matter import run
from tests.support.concurrent import ActInMemory
from tests.support.evidence import evidence_from_scratch, evidence_stored, keyed
from tests.support.ids import numbered
from tests.support.people import Person, model, narrow, person, policy

MAILS = ("anna.smith@example.com", "family@example.com")
IN_FULL = HoldersCompared(all=10_000)

crowd = st.builds(
    lambda mail, phone, cookie, first, last, born: person(
        {k: v for k, v in (("email", mail), ("phone", phone), ("cookie_id", cookie)) if v},
        **{k: v for k, v in (("first_name", first), ("last_name", last), ("date_of_birth", born)) if v},
    ),
    mail=st.sampled_from([None, *MAILS]),
    phone=st.sampled_from([None, None, "+14155550101"]),
    cookie=st.sampled_from([f"c-{n}" for n in range(6)]),
    first=st.sampled_from([None, "Anna", "Ann", "John"]),
    last=st.sampled_from([None, "Smith", "Smyth", "Garcia"]),
    born=st.sampled_from([None, None, "1980-01-02"]),
)
crowds = st.lists(crowd, min_size=4, max_size=14, unique_by=lambda p: p.record_id)
limits = st.builds(
    lambda cap, limit, *compared: replace(
        narrow(cap, limit), holders_compared=HoldersCompared(*compared), split_limit=1_000
    ),
    st.sampled_from([3, 6, 50]),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 2),
    st.integers(1, 2),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(crowds, st.randoms(use_true_random=False), st.integers(1, 4), limits)
def test_the_evidence_of_a_crowd_is_that_of_scratch(
    arrivals: list[Person], random: Random, batch: int, rules: Policy
) -> None:
    random.shuffle(arrivals)
    ends_as_scratch(arrivals, batch, rules)


def ends_as_scratch(arrivals: Sequence[Person], batch: int, rules: Policy) -> None:
    records = [p.record_id for p in arrivals]
    streamed, together = run(arrivals, batch, rules), run(arrivals, len(arrivals), rules)
    should = evidence_from_scratch(arrivals, rules)
    assert evidence_stored(streamed, records, rules) == should == evidence_stored(together, records, rules)
    parted = frozenset(resolve_all(keyed(arrivals), (), model(), rules).clusters)
    assert streamed.partition() == together.partition() == parted


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(crowds, st.data(), st.integers(1, 4), limits)
def test_told_apart_and_not_any_more_the_evidence_of_a_crowd_is_that_of_scratch(
    arrivals: list[Person], data: st.DataObject, batch: int, rules: Policy
) -> None:
    at = data.draw(st.integers(2, len(arrivals)))
    store = run(arrivals[:at], batch, rules)
    ids = [p.record_id for p in arrivals[:at]]
    new = count(10**6)
    for _ in range(data.draw(st.integers(1, 2))):
        left = data.draw(st.frozensets(st.sampled_from(ids), min_size=1))
        right = data.draw(st.frozensets(st.sampled_from(ids), min_size=1)) - left
        if not right:
            continue
        act = ActInMemory(store, rules, lambda: numbered(next(new)))
        act.constrain(Constraint(ConstraintKind.CANNOT_LINK, left, right))
        found = act.gather(frozenset(s.profile_id for s in store.standing(left | right).values()))
        store.write(found, act.settle(found), {}, {})
    run(arrivals[at:], batch, rules, store)
    for word in data.draw(st.lists(st.sampled_from(store.rules), unique_by=id)) if store.rules else ():
        act = ActInMemory(store, rules, lambda: numbered(next(new)))
        act.revoke([word])
        _, found, settlement = decide_without(act, [word], {})
        store.write(found, settlement, {}, {})
    records = [p.record_id for p in arrivals]
    assert evidence_stored(store, records, rules) == evidence_from_scratch(arrivals, rules, store.rules)
    parted = frozenset(resolve_all(keyed(arrivals), store.rules, model(), rules).clusters)
    assert store.partition() == parted


@given(
    st.dictionaries(st.integers(0, 60).map(numbered), st.integers(0, 3), min_size=1),
    st.builds(HoldersCompared, *(st.integers(1, 4) for _ in range(3))),
)
def test_all_who_are_alike_hang_together_and_so_do_all(
    alike: dict[Id, int], compared: HoldersCompared
) -> None:
    circle = Circle(alike, compared, speaks=True)
    pairs = set(circle.pairs())
    assert all(low < high for low, high in pairs)
    for low, high in combinations(sorted(alike), 2):
        assert circle.meets(low, high) == circle.meets(high, low) == ((low, high) in pairs)
    for row in (*({r for r in alike if alike[r] == n} for n in range(4)), set(alike)):
        assert not row or reached(min(row), {pair for pair in pairs if row.issuperset(pair)}) == row
    if len(alike) <= compared.all:
        assert len(pairs) == len(alike) * (len(alike) - 1) // 2
    else:
        assert len(pairs) <= len(alike) * compared.alike + 4 * compared.others


def reached(first: Id, pairs: set[tuple[Id, Id]]) -> set[Id]:
    found, waiting = {first}, [first]
    while waiting:
        at = waiting.pop()
        near = {other for pair in pairs if at in pair for other in pair} - found
        found |= near
        waiting += near
    return found


def by_id(count: int, identifiers: Mapping[str, str], **traits: str) -> list[Person]:
    """So many people who share these, in the order of their ids."""
    made = (person({**identifiers, "cookie_id": f"c-{n}"}, **traits) for n in range(count))
    return sorted(made, key=lambda p: p.record_id)


def test_a_customer_of_many_records_hangs_together_by_few_pairs() -> None:
    arrivals = by_id(40, {"email": MAILS[0]})
    store = run(arrivals, 1, policy())
    (_,) = store.partition()
    ids = [p.record_id for p in arrivals]
    assert evidence_stored(store, store.records, policy()).keys() == {
        pair for step in (1, 2, 3) for pair in zip(ids, ids[step:], strict=False)
    }


@pytest.mark.parametrize(
    "out", [slice(5), slice(None, None, 2), slice(10, 30)], ids=["first", "half", "amid"]
)
def test_whom_records_are_taken_from_stay_one_customer(out: slice) -> None:
    arrivals = by_id(40, {"email": MAILS[0]})
    store = run(arrivals, 1, policy())
    (profile,) = store.profiles
    chosen = frozenset(p.record_id for p in arrivals[out])
    act = ActInMemory(store, policy(), lambda: numbered(10**6))
    _, settlement = found = part(act, profile, store.members([profile]), chosen)
    store.write(found[0], settlement, {}, {})
    assert store.partition() == {chosen, frozenset(store.records) - chosen}
    # and whoever comes to either side finds it: the constraint names nobody but those who were there
    run([person({"email": MAILS[0], "cookie_id": "c-0", "phone": "+14155550101"})], 1, policy(), store)
    assert len(store.partition()) == 2


@pytest.mark.parametrize("mail", [f"smith{n}@example.com" for n in range(6)])
def test_two_of_one_name_who_share_an_identifier_are_two_customers(mail: str) -> None:
    anna = {"first_name": "Anna", "last_name": "Smith", "date_of_birth": "1980-01-02"}
    adam = {"first_name": "Adam", "last_name": "Smith", "date_of_birth": "1991-07-15"}
    people = [person({"email": mail, "cookie_id": f"c-{n}"}, **anna) for n in range(30)]
    people += [person({"email": mail, "cookie_id": f"d-{n}"}, **adam) for n in range(4)]
    (few, many) = sorted(run(people, 3, policy()).partition(), key=len)
    assert (len(few), len(many)) == (4, 30)


def test_few_pairs_divide_crowds_as_all_pairs_do() -> None:
    """Nearly always: where nobody agrees with anybody as a whole, the order in which pairs join decides."""
    draw, same = Random(7), 0
    for _ in range(100):
        arrivals = {p.record_id: p for p in (drawn(draw) for _ in range(draw.randint(18, 30)))}
        records = keyed(list(arrivals.values()))
        few, every = (
            set(resolve_all(records, (), model(), replace(policy(), holders_compared=compared)).clusters)
            for compared in (HoldersCompared(all=4), IN_FULL)
        )
        same += few == every
    assert same >= 98


def drawn(draw: Random) -> Person:
    """Somebody of a crowd in which everything is mixed up."""
    identifiers = {
        "email": draw.choice([None, *MAILS]),
        "phone": draw.choice([None, None, "+14155550101"]),
        "cookie_id": f"c-{draw.randrange(6)}",
    }
    traits = {
        "first_name": draw.choice([None, "Anna", "Ann", "John"]),
        "last_name": draw.choice([None, "Smith", "Smyth", "Garcia"]),
        "date_of_birth": draw.choice([None, None, "1980-01-02"]),
    }
    return person({k: v for k, v in identifiers.items() if v}, **{k: v for k, v in traits.items() if v})


def test_an_identifier_falls_and_a_row_of_another_grows_at_once() -> None:
    """The last record is the fourth of an e-mail, which is one too many, and comes between two who share a phone."""
    both = {"email": MAILS[0], "phone": "+14155550101"}
    low, last, high = by_id(3, both)
    arrivals = [low, high, person({"email": MAILS[0], "cookie_id": "c-9"}), last]
    ends_as_scratch(arrivals, 1, narrow(cap=3, limit=5))
