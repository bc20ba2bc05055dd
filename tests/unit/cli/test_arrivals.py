"""When a wait is given up."""

from __future__ import annotations

from cli.arrivals import Patience


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
