"""Whatever the order of arrival and the size of batches, the stream ends where clustering from scratch ends.

So it does where match keys become over-full and identifiers shared on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.identity.ids import Id
from pipeline.identity.model import MatchKey
from pipeline.identity.policy import Policy
from pipeline.identity.scratch import resolve_all, weighed
from pipeline.inprocess import resolve_batch
from pipeline.matching import Arrival, fold_activity, with_products
from pipeline.store.memory import MemoryIdentityStore
from tests.support.ids import numbered
from tests.support.people import START, Person, model, narrow, person, policy, ring

FIRST = ["Anna", "Ana", "John", "Jon", "Mary"]
LAST = ["Smith", "Smyth", "Kowalski"]
HOMES: list[dict[str, str]] = [
    {},
    {"postcode": "94107"},
    {"postcode": "10001", "city": "New York"},
    {"postcode": "10001", "street": "12 Elm Tree Road"},
    {"postcode": "10001", "street": "12 Elm Tre Road", "unit": "4"},
]
BORN = ["1980-01-02", "1980-02-01", "1991-07-15"]

people = st.builds(
    lambda ids, first, last, born, home, minute, source, products: person(
        {k: v for k, v in ids.items() if v is not None},
        minute=minute,
        source=source,
        products=products,
        **{
            k: v
            for k, v in (
                ("first_name", first),
                ("last_name", last),
                ("date_of_birth", born),
                *home.items(),
            )
            if v
        },
    ),
    ids=st.fixed_dictionaries(
        {
            "email": st.sampled_from(
                [None, "anna.smith@example.com", "jon@example.com", "family@example.com"]
            ),
            "phone": st.sampled_from([None, "+14155550101", "+14155550102"]),
            "loyalty_id": st.sampled_from([None, None, "L-1001", "L-1002"]),
            "cookie_id": st.sampled_from([None, None, "c-77ab12", "c-88cd34"]),
        }
    ),
    first=st.sampled_from([None, *FIRST]),
    last=st.sampled_from([None, *LAST]),
    born=st.sampled_from([None, *BORN]),
    home=st.sampled_from(HOMES),
    source=st.sampled_from(["web", "web", "crm", "pos"]),
    minute=st.integers(0, 1000),
    products=st.lists(st.integers(1, 6), max_size=3),
).filter(lambda p: not p.canonical.is_empty)


limits = st.one_of(st.none(), st.tuples(st.sampled_from([2, 3, 5]), st.integers(1, 2)))
"""The shipped ones, or a cap and how many people may share an identifier."""


def run(
    arrivals: Sequence[Person], batch: int, rules: Policy, store: MemoryIdentityStore | None = None
) -> MemoryIdentityStore:
    ids = count(1 + len(store.profiles) if store else 1)
    store = store or MemoryIdentityStore(ring().current.match)
    for i in range(0, len(arrivals), batch):
        folded = {}
        for p in arrivals[i : i + batch]:
            before = folded.get(p.record_id)
            folded[p.record_id] = p.arrival if before is None else merged(before, p.arrival)
        resolve_batch(store, folded, model(), rules, lambda: numbered(next(ids)), START)
    return store


def merged(one: Arrival, other: Arrival) -> Arrival:
    assert one.record is not None
    return replace(
        one,
        activity=fold_activity(one.activity, other.activity),
        products=one.products | other.products,
        record=with_products(one.record, other.products),
    )


def golden(store: MemoryIdentityStore) -> dict[frozenset[Id], dict[str, Id]]:
    return {store.members([p]): dict(row.golden) for p, row in store.profiles.items() if not row.is_merged}


def reviews(store: MemoryIdentityStore) -> set[frozenset[frozenset[Id]]]:
    return {frozenset(store.members([p]) for p in pair) for pair in store.reviews}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(people, min_size=1, max_size=12),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
    limits,
)
def test_any_order_and_batching_ends_where_scratch_ends(
    arrivals: list[Person], random: Random, batch: int, small: tuple[int, int] | None
) -> None:
    rules = narrow(*small) if small else policy()
    together = run(arrivals, len(arrivals), rules)
    shuffled = [*arrivals, *random.sample(arrivals, k=len(arrivals) // 2)]
    random.shuffle(shuffled)
    streamed = run(shuffled, batch, rules)
    records = {r: (s.record.sharing(()), streamed_keys(arrivals, r)) for r, s in streamed.records.items()}
    scratch = frozenset(resolve_all(records, (), model(), rules).clusters)
    assert streamed.partition() == together.partition() == scratch
    assert golden(streamed) == golden(together)
    assert reviews(streamed) == reviews(together)
    assert {r: s.record for r, s in streamed.records.items()} == {
        r: record for r, (record, _) in weighed(records, rules).items()
    }


def streamed_keys(arrivals: Sequence[Person], record: Id) -> tuple[MatchKey, ...]:
    return next(p.arrival.keys for p in arrivals if p.record_id == record)
