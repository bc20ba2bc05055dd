"""Bins of confidence against the share of true pairs."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pipeline.identity.calibration import EDGES, Judged, at_least, reliability


def test_every_pair_is_in_one_bin_and_bins_have_no_gap() -> None:
    judged = [Judged(c / 1000, is_one=c > 500) for c in range(1001)]
    bins = reliability(judged, (0.45, 0.8))
    assert sum(b.pairs for b in bins) == 1001
    assert (bins[0].low, bins[-1].high) == (0.0, 1.0)
    assert all(a.high == b.low for a, b in pairwise(bins))
    assert {0.45, 0.8, *EDGES} == {b.low for b in bins[1:]}


def test_a_threshold_belongs_to_the_bin_it_begins() -> None:
    bins = reliability(
        [Judged(0.8, is_one=True), Judged(1.0, is_one=True), Judged(0.7999, is_one=False)], (0.8,)
    )
    assert at_least(bins, 0.8).pairs == 2
    assert at_least(bins, 0.8).share == 1.0


def test_what_holds_is_within_the_interval_and_what_does_not_is_out_of_it() -> None:
    holds = reliability([Judged(0.85, is_one=n % 20 < 17) for n in range(1000)], (0.8,))
    boasts = reliability([Judged(0.85, is_one=n % 20 < 10) for n in range(1000)], (0.8,))
    for bins, expected in ((holds, True), (boasts, False)):
        (found,) = (b for b in bins if b.pairs)
        low, high = found.interval()
        assert (low <= found.confidence <= high) is expected


def test_pairs_of_one_decision_count_once() -> None:
    bins = reliability([Judged(0.85, is_one=True, weight=0.25)] * 4, ())
    (found,) = (b for b in bins if b.pairs)
    assert (found.pairs, found.true, found.confidence) == (1.0, 1.0, pytest.approx(0.85))


def test_an_empty_bin_says_nothing() -> None:
    bins = reliability([], ())
    assert all(b.interval() == (0.0, 1.0) for b in bins)
