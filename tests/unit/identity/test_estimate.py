"""What is expected of a partition: by hand on small ones, and as a law where chances are certain."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity import estimate as module
from pipeline.identity.difference import Cluster
from pipeline.identity.estimate import Agreement, Estimate, agreement, estimate
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from tests.support.ids import number_of, numbered

A, B, C, D, E = map(numbered, range(1, 6))
CHANCES = {(A, B): 0.9, (B, C): 0.8, (A, C): 0.1, (C, D): 0.5, (D, E): 0.2}


def chance(low: Id, high: Id) -> float:
    return CHANCES.get((low, high), 0.0)


def clusters(*members: tuple[Id, ...]) -> list[Cluster]:
    return [frozenset(m) for m in members]


def estimated(*members: tuple[Id, ...]) -> Estimate:
    return estimate(clusters(*members), CHANCES.keys(), sum(CHANCES.values()), chance)


def test_a_pair_that_others_put_together_counts_by_its_best_chain() -> None:
    found = estimated((A, B, C), (D,), (E,))
    assert found.together == 3
    assert found.true_together == pytest.approx(0.9 + 0.8 + 0.9 * 0.8)
    assert found.true_apart == pytest.approx(0.5 + 0.2)
    assert found.precision == pytest.approx(2.42 / 3)
    assert found.recall == pytest.approx(2.42 / 3.12)


def test_its_own_chance_counts_where_it_is_better_than_any_chain() -> None:
    assert estimated((C, D, E)).true_together == pytest.approx(0.5 + 0.2 + 0.5 * 0.2)
    assert estimated((A, C)).true_together == pytest.approx(0.1)


def test_pairs_that_were_not_compared_do_not_lower_what_lies_apart() -> None:
    found = estimate(clusters((A, B, C)), {(A, B)}, 0.9, chance)
    assert found.true_apart == 0.0


def test_nothing_put_together_is_precise_and_finds_nothing() -> None:
    found = estimated((A,), (B,), (C,), (D,), (E,))
    assert (found.precision, found.recall, found.f1) == (1.0, 0.0, 0.0)
    assert estimate([], (), 0.0, chance).recall == 1.0


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=9), st.lists(st.integers(0, 3), min_size=9, max_size=9)
)
def test_where_chances_are_certain_it_is_the_truth(truth: list[int], labels: list[int]) -> None:
    records = [numbered(n) for n in range(len(truth))]
    pairs = {p: float(truth[number_of(p[0])] == truth[number_of(p[1])]) for p in combinations(records, 2)}
    found = [
        frozenset(r for r in records if labels[number_of(r)] == label)
        for label in {labels[number_of(r)] for r in records}
    ]
    said = estimate(found, pairs.keys(), sum(pairs.values()), lambda a, b: pairs[a, b])
    together = {p for m in found for p in combinations(sorted(m), 2)}
    hits = sum(pairs[p] for p in together)
    assert (said.together, said.true_together) == (len(together), hits)
    assert said.true_apart == sum(pairs.values()) - hits


def test_of_a_large_cluster_a_sample_speaks_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MEMBERS", 4)
    large = frozenset(map(numbered, range(10)))
    found = estimate([large], set(combinations(sorted(large), 2)), 45 * 0.5, lambda a, b: 0.5)
    assert (found.together, found.true_together) == (45, 45 * 0.5)
    assert found.true_apart == 0.0


def test_which_pairs_of_a_large_cluster_were_compared_is_not_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few records, those of the lowest or the highest ids, may have been compared with all."""
    monkeypatch.setattr(module, "MOST_MEMBERS", 4)
    records = [numbered(n) for n in range(40)]
    large, apart = frozenset(records[:30]), frozenset(records[30:])
    for few in (records[:2], records[28:30]):
        compared = {(min(a, b), max(a, b)) for a in few for b in large - {a}} | {(records[0], records[35])}
        found = estimate([large, apart], compared, 0.5 * len(compared), lambda a, b: 0.5)
        assert found.true_apart == 0.5
        assert found.recall == pytest.approx(found.true_together / (found.true_together + 0.5))


def test_a_sample_favours_no_order_of_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the records are sure, those of the lower or of the higher ids: a sample finds some of either half."""
    monkeypatch.setattr(module, "MOST_MEMBERS", 40)
    records = [numbered(n) for n in range(400)]
    for sure in (frozenset(records[:200]), frozenset(records[200:])):
        found = estimate(
            [frozenset(records)], (), 0.0, lambda a, b, sure=sure: float(a in sure and b in sure)
        )
        assert 0.05 < found.precision < 0.6, "a quarter, were it all"


def test_decisions_agree_or_not() -> None:
    def decided(kind: ConstraintKind, left: tuple[Id, ...], right: tuple[Id, ...]) -> Constraint:
        return Constraint(kind, frozenset(left), frozenset(right))

    must, cannot = ConstraintKind.MUST_LINK, ConstraintKind.CANNOT_LINK
    decisions = [
        decided(must, (A,), (B,)),  # agrees
        decided(must, (A, B), (C,)),
        decided(cannot, (A,), (C,)),  # agrees
        decided(cannot, (A, C), (B, D)),
        decided(cannot, (A,), (numbered(99),)),  # of somebody who is not there
    ]
    assert agreement(decisions, clusters((A, B), (C, D), (E,))) == Agreement(2, 4)


def test_the_interval_is_wilsons() -> None:
    low, high = Agreement(8, 10).interval()
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert Agreement(0, 0).interval() == (0.0, 1.0)
    assert Agreement(5, 5).interval()[1] == 1.0
