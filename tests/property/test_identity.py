"""Clustering is one function of what is known: order, components and time of arrival make no difference."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.identity.cluster import cluster
from pipeline.identity.compare import compare, side
from pipeline.identity.model import Constraint, ConstraintKind, Partition
from pipeline.identity.scratch import KeyedRecords, candidate_pairs, components, evidence, resolve_all
from tests.support.people import Person, model, person, policy


def some(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *values])


@st.composite
def people(draw: st.DrawFn) -> Person:
    identifiers = {
        "email": draw(some("k@lovelace.org", "ada@lovelace.org", "adda@lovelace.org")),
        "phone": draw(some("+14155550123", "+14155550124")),
        "loyalty_id": draw(some("L-1001", "L-1002")),
    }
    return person(
        {k: v for k, v in identifiers.items() if v},
        first_name=draw(some("Ada", "Adda", "George", "A", "Lovelace")),
        last_name=draw(some("Lovelace", "Lovelase", "Ada", "Smith")),
        date_of_birth=draw(some("1985-06-21", "1985-06-12", "12/06/1985", "1955-01-31")),
        address=draw(some("1304 Poppy Hills Dr, Blacklick OH 43004", "1304 Poppy Hill Dr, 43004")),
    )


populations = st.lists(people().filter(lambda p: not p.canonical.is_empty), min_size=2, max_size=14)


def keyed(population: list[Person]) -> KeyedRecords:
    held = {}
    for p in population:
        assert p.arrival.record is not None
        held[p.record_id] = p.arrival.record, p.arrival.keys
    return held


@st.composite
def histories(draw: st.DrawFn) -> tuple[KeyedRecords, list[Constraint]]:
    records = keyed(draw(populations))
    ids = st.frozensets(st.sampled_from(sorted(records)), min_size=1, max_size=3)
    kinds = st.sampled_from(list(ConstraintKind))
    drawn = draw(st.lists(st.builds(Constraint, kinds, ids, ids), max_size=3))
    return records, [c for c in drawn if not c.left & c.right]


@given(populations, populations)
@settings(max_examples=150, deadline=None)
def test_evidence_is_the_same_from_either_side(one: list[Person], other: list[Person]) -> None:
    a, b = (side([r for r, _ in keyed(population).values()]) for population in (one, other))
    assert compare(a, b, model(), policy()) == compare(b, a, model(), policy())


@given(histories(), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_any_order_gives_the_same_partition(
    history: tuple[KeyedRecords, list[Constraint]], seed: int
) -> None:
    records, constraints = history
    shuffled = list(records.items())
    random.Random(seed).shuffle(shuffled)
    expected = resolve_all(records, constraints, model(), policy())
    assert resolve_all(dict(shuffled), constraints, model(), policy()) == expected


@given(histories(), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_components_are_independent(history: tuple[KeyedRecords, list[Constraint]], seed: int) -> None:
    records, constraints = history
    plain = {r: record for r, (record, _) in records.items()}
    pairs = candidate_pairs(records, policy())
    edges = [e for e in evidence(pairs, records, model(), policy()) if e is not None]
    random.Random(seed).shuffle(edges)
    whole = cluster(plain, edges, constraints, model(), policy())
    parts: list[Partition] = [
        cluster({r: plain[r] for r in members}, own, rules, model(), policy())
        for members, own, rules in components(plain, edges, constraints)
    ]
    assert set(whole.clusters) == {c for part in parts for c in part.clusters}
    assert set(whole.refused) == {x for part in parts for x in part.refused}
    assert set(whole.joined) == {x for part in parts for x in part.joined}


@given(histories())
@settings(max_examples=150, deadline=None)
def test_clusters_obey_the_rules(history: tuple[KeyedRecords, list[Constraint]]) -> None:
    records, constraints = history
    found = resolve_all(records, constraints, model(), policy())
    assert sorted(r for c in found.clusters for r in c) == sorted(records)
    for members in found.clusters:
        for c in constraints:
            if c.kind is ConstraintKind.CANNOT_LINK:
                assert not (members & c.left and members & c.right)
    at = {r: n for n, members in enumerate(found.clusters) for r in members}
    asked = [frozenset((at[e.low], at[e.high])) for e, _ in found.refused]
    assert all(len(pair) == 2 for pair in asked)
    assert len(asked) == len(set(asked))
