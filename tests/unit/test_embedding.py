"""What a customer buys as a vector: a function of what was bought, and of nothing else."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from pipeline.customer.embedding import DIMENSIONS, Common, embedding, in_common
from pipeline.customer.embedding import _place as place

TEA = {"sku:T-1": 3, "sku:T-2": 1, "category:tea": 4}
CUPS = {"sku:C-9": 2, "category:cups": 2}


def of(bought: dict[str, int]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    made = embedding(bought)
    assert made is not None
    return made  # type: ignore[return-value]


def test_it_is_of_length_one_whatever_was_bought() -> None:
    for bought in (TEA, CUPS, {f"sku:{n}": n + 1 for n in range(2_000)}):
        made = of(bought)
        assert made.shape == (DIMENSIONS,)
        assert np.linalg.norm(made) == pytest.approx(1, abs=1e-6)


def test_nothing_bought_has_none() -> None:
    assert embedding({}) is None


def test_what_cancels_is_none() -> None:
    one = next(f"sku:{n}" for n in range(1_000))
    other = next(
        f"sku:{n}"
        for n in range(1, 100_000)
        if place(f"sku:{n}")[0] == place(one)[0] and place(f"sku:{n}")[1] == -place(one)[1]
    )
    assert embedding({one: 2, other: 2}) is None
    assert embedding({one: 2, other: 1}) is not None


def test_no_order_matters_to_the_last_bit() -> None:
    bought = [(f"sku:{n}", n % 7 + 1) for n in range(3_000)]
    made = of(dict(bought))
    for seed in range(5):
        random.Random(seed).shuffle(bought)
        assert np.array_equal(of(dict(bought)), made)


def test_two_that_are_merged_have_that_of_all_their_orders() -> None:
    together = Counter(TEA) + Counter(CUPS) + Counter({"sku:T-1": 1})
    assert np.array_equal(of(dict(together)), of({**TEA, **CUPS, "sku:T-1": 4}))
    apart = {f: np.log1p(n) for f, n in {**TEA, **CUPS}.items()}
    total = np.zeros(DIMENSIONS)
    for feature, weight in apart.items():
        dimension, sign = place(feature)
        total[dimension] += sign * weight
    np.testing.assert_allclose(of({**TEA, **CUPS}), total / np.linalg.norm(total), atol=1e-6)


def test_repeats_are_damped() -> None:
    often, once = of({"sku:a": 100, "sku:b": 1}), of({"sku:a": 1, "sku:b": 1})
    assert float(often @ once) > 0.75  # by plain counts 0.71


def test_alike_and_unlike_are_told_apart() -> None:
    assert float(of(TEA) @ of({"sku:T-1": 1, "category:tea": 1})) > 0.8
    assert abs(float(of(TEA) @ of(CUPS))) < 0.2


def test_features_spread_over_all_dimensions_and_both_signs() -> None:
    places = [place(f"sku:{n}") for n in range(20_000)]
    counts = Counter(dimension for dimension, _ in places)
    assert len(counts) == DIMENSIONS
    assert max(counts.values()) < 60
    assert sum(sign for _, sign in places) == pytest.approx(0, abs=500)


def test_what_weighs_most_in_both_speaks_first() -> None:
    other = {"sku:T-1": 9, "category:tea": 1, "sku:X": 5}
    assert in_common(TEA, other) == [Common("sku", "T-1", 3, 9), Common("category", "tea", 4, 1)]
    assert in_common(TEA, CUPS) == []
