"""How much pairs of strangers tell: all of them where no record is in two, half the records where all are alike."""

from __future__ import annotations

from itertools import combinations

import pytest

from pipeline.identity.ids import Id
from pipeline.identity.training.em import Observed, fit
from pipeline.identity.training.patterns import Pattern
from pipeline.identity.training.sightings import telling
from tests.support.ids import numbered
from tests.support.people import model

FIRM = ("employer", "exact")
APART = Pattern((("given_name", "different"), ("date_of_birth", "different"), FIRM), 0)


def together(*groups: int) -> list[tuple[Id, Id, Pattern]]:
    """All pairs within groups of so many strangers, each group at one firm."""
    found, first = [], 0
    for size in groups:
        ids = [numbered(n) for n in range(first, first + size)]
        found += [(min(pair), max(pair), APART) for pair in combinations(ids, 2)]
        first += size
    return found


@pytest.mark.parametrize(
    ("groups", "counting"),
    [
        ((2, 2, 2), 3.0),  # no record twice: every pair counts
        ((6,), 3.0),  # fifteen pairs of six records: as three
        ((100,), 50.0),
        ((6, 2, 2, 2, 2), (6 * 5 + 8) ** 2 / (6 * 25 + 8) / 2),
    ],
)
def test_sightings_that_count_are_half_the_records_that_weigh(
    groups: tuple[int, ...], counting: float
) -> None:
    found = together(*groups)
    assert telling(found, model())[FIRM] * len(found) == pytest.approx(counting, rel=0.01)


def test_a_pair_counts_as_far_as_the_model_takes_it_for_strangers() -> None:
    one = Pattern((("given_name", "exact"), ("date_of_birth", "exact"), FIRM), 20)
    pairs = together(2, 2, 2)
    ids = [numbered(n) for n in range(100, 120)]
    same = [(min(pair), max(pair), one) for pair in combinations(ids, 2)]
    assert telling([*pairs, *same], model())[FIRM] == pytest.approx(telling(pairs, model())[FIRM], abs=0.01)


def test_nothing_seen_tells_nothing() -> None:
    assert telling([], model()) == {}


def test_one_firm_moves_the_rate_of_strangers_less_than_as_many_pairs_of_many_do() -> None:
    before = model().rates["employer"]["exact"].u

    def learnt(found: list[tuple[Id, Id, Pattern]]) -> float:
        others = {Pattern((("employer", "different"),), 0): 300.0, APART: float(len(found))}
        seen = Observed({}, others, 345, 1_000_000, telling=telling(found, model()))
        return fit(seen, model()).model.rates["employer"]["exact"].u / before

    firm, many = together(10), together(*(2,) * 45)
    assert len(firm) == len(many)
    assert 1.0 < learnt(firm) < learnt(many) / 2
