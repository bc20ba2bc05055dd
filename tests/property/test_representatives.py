"""Many records that share identifiers: what is stored as evidence is a function of them, whoever came first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.identity.representatives import representatives
from pipeline.identity.scratch import resolve_all
from tests.property.test_order_does_not_matter import run
from tests.support.evidence import evidence_from_scratch, evidence_stored, keyed
from tests.support.ids import numbered
from tests.support.people import Person, model, narrow, person, policy

MAILS = ("anna.smith@example.com", "family@example.com")

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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(crowd, min_size=4, max_size=14, unique_by=lambda p: p.record_id),
    st.randoms(use_true_random=False),
    st.integers(1, 4),
    st.sampled_from([3, 6, 50]),
    st.integers(1, 3),
    st.integers(1, 2),
)
def test_the_evidence_of_a_crowd_is_that_of_scratch(
    arrivals: list[Person], random: Random, batch: int, cap: int, limit: int, most: int
) -> None:
    shuffled = [*arrivals]
    random.shuffle(shuffled)
    ends_as_scratch(shuffled, batch, replace(narrow(cap, limit), representatives=most))


def ends_as_scratch(arrivals: Sequence[Person], batch: int, rules: Policy) -> None:
    records = [p.record_id for p in arrivals]
    streamed, together = run(arrivals, batch, rules), run(arrivals, len(arrivals), rules)
    should = evidence_from_scratch(arrivals, rules)
    assert evidence_stored(streamed, records, rules) == should == evidence_stored(together, records, rules)
    parted = frozenset(resolve_all(keyed(arrivals), (), model(), rules).clusters)
    assert streamed.partition() == together.partition() == parted


def test_an_identifier_falls_and_another_is_represented_by_others_at_once() -> None:
    """The last record is the fourth of an e-mail, which is one too many, and stands for a phone from now on."""
    both = {"email": MAILS[0], "phone": "+14155550101"}
    last, *first = sorted(
        (person({**both, "cookie_id": f"c-{n}"}) for n in range(3)), key=lambda p: p.record_id
    )
    arrivals = [*first, person({"email": MAILS[0], "cookie_id": "c-9"}), last]
    ends_as_scratch(arrivals, 1, narrow(cap=3, limit=5))


@given(
    st.dictionaries(st.integers(0, 30).map(numbered), st.integers(0, 3)),
    st.dictionaries(st.integers(31, 60).map(numbered), st.integers(0, 3)),
    st.integers(1, 3),
)
@example({numbered(1): 0}, {numbered(40): 0}, 1)
def test_who_stands_for_others_follows_from_those_who_stood_before(
    some: dict[Id, int], more: dict[Id, int], most: int
) -> None:
    """The lowest of all are among the lowest of some and the others."""
    before = representatives(some.items(), most)
    everybody = {**some, **more}
    step = representatives(((r, everybody[r]) for r in {*before, *more}), most)
    assert step == representatives(everybody.items(), most)
    for whom in set(everybody.values()):
        held = sorted(r for r, named in everybody.items() if named == whom)
        assert [r for r in held if r in step] == held[:most]


def test_a_customer_of_many_records_is_compared_by_a_few() -> None:
    """Every pair of ten would be 45; two stand for the others."""
    rules = replace(policy(), representatives=2)
    arrivals = [person({"email": MAILS[0], "cookie_id": f"c-{n}"}) for n in range(10)]
    store = run(arrivals, 1, rules)
    (_,) = store.partition()
    lowest = sorted(p.record_id for p in arrivals)[:2]
    assert evidence_stored(store, store.records, rules).keys() == {
        (min(r, p.record_id), max(r, p.record_id)) for r in lowest for p in arrivals if p.record_id != r
    }
