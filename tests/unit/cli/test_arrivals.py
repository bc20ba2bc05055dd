"""What is known of events under way, and when a wait for them is given up."""

from __future__ import annotations

from cli.arrivals import Arrivals, Patience
from pipeline.identity.ids import Id
from tests.support.ids import numbered


def test_patience_ends_where_nothing_moves_and_not_where_it_is_slow() -> None:
    now = 0.0
    patience = Patience(60.0, lambda: now)
    for left in range(5, 0, -1):  # each step takes 59 s
        assert not patience.ends(left)
        now += 59.0
        assert not patience.ends(left)
    now += 2.0
    assert patience.ends(1)
    assert not patience.ends(2)  # more than before: something moves


def test_however_many_come_late_a_look_asks_for_few_of_them_and_all_in_turn() -> None:
    ids = [numbered(n) for n in range(50_000)]
    committed, asked = set(ids[::2]), 0

    def missing(some: list[Id]) -> list[Id]:
        nonlocal asked
        asked += len(some)
        return [i for i in some if i not in committed]

    arrivals = Arrivals(missing)
    arrivals.expect(ids)
    assert arrivals.poll() == 25_000, "every other one overtook its neighbour"
    committed = set(ids)
    looks = 0
    while arrivals.committed < arrivals.expected:
        asked, looks = 0, looks + 1
        arrivals.poll()
        assert asked <= 10_000
    assert looks == 3
