"""Pairwise and B-cubed scores against values worked out by hand."""

from __future__ import annotations

import pytest

from bench.truth import b_cubed, groups, pairs_found, pairwise

TRUTH = {1: "a", 2: "a", 3: "a", 4: "b", 5: "b"}
FOUND = {1: "x", 2: "x", 3: "y", 4: "y", 5: "z"}


def test_pairwise_by_hand() -> None:
    # found pairs: 12 34; true pairs: 12 13 23 45; in both: 12
    score = pairwise(FOUND, TRUTH)
    assert (score.precision, score.recall) == (1 / 2, 1 / 4)
    assert score.f1 == pytest.approx(1 / 3)


def test_b_cubed_by_hand() -> None:
    # precision 1, 1, 1/2, 1/2, 1; recall 2/3, 2/3, 1/3, 1/2, 1/2
    score = b_cubed(FOUND, TRUTH)
    assert score.precision == pytest.approx(4 / 5)
    assert score.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 / 2 + 1 / 2) / 5)


def test_a_perfect_partition_whatever_its_names() -> None:
    renamed = {item: cluster.upper() for item, cluster in TRUTH.items()}
    assert pairwise(renamed, TRUTH).f1 == b_cubed(renamed, TRUTH).f1 == 1.0
    assert groups(renamed) == groups(TRUTH) == {frozenset({1, 2, 3}), frozenset({4, 5})}


def test_everything_alone_and_nothing_at_all() -> None:
    alone = {item: item for item in TRUTH}
    assert (pairwise(alone, TRUTH).precision, pairwise(alone, TRUTH).recall) == (1.0, 0.0)
    assert pairwise(alone, TRUTH).f1 == 0.0
    assert b_cubed({}, {}).f1 == pairwise({}, {}).f1 == 1.0


def test_different_items_are_an_error() -> None:
    with pytest.raises(ValueError, match="1 items"):
        pairwise({1: "a"}, {1: "a", 2: "a"})


def test_the_share_of_true_pairs_among_candidates() -> None:
    assert pairs_found([(1, 2), (3, 4), (4, 5)], TRUTH) == 2 / 4
