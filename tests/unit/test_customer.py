"""What is made of a customer's rows: scores, and identifiers with their history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from pydantic import ValidationError

from pipeline.customer.identifiers import Holding, Move, with_history
from pipeline.customer.scores import Bounds, Spending, scores
from pipeline.settings import Settings, cuts

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BOUNDS = Bounds((30, 90, 180, 365), (2, 4, 8, 16), (50, 200, 500, 1000))


def spending(days: int, recent: int, spent: str, currency: str = "USD", orders: int = 0) -> Spending:
    last = NOW - timedelta(days=days)
    return Spending(currency, orders or recent, Decimal(spent), last, last, recent, Decimal(spent))


@pytest.mark.parametrize(
    ("days", "orders", "spent", "expected"),
    [
        (0, 1, "49.99", (5, 1, 1)),
        (30, 2, "50", (5, 2, 2)),
        (31, 3, "199.99", (4, 2, 2)),
        (180, 8, "500", (3, 4, 4)),
        (365, 16, "1000", (2, 5, 5)),
        (366, 0, "0", (1, 1, 1)),
        (-1, 1, "-20", (5, 1, 1)),
    ],
)
def test_scores_change_at_the_bounds(
    days: int, orders: int, spent: str, expected: tuple[int, int, int]
) -> None:
    found = scores([spending(days, orders, spent, orders=max(orders, 1))], NOW, BOUNDS)
    assert found is not None
    assert (found.recency, found.frequency, found.monetary) == expected


def test_money_is_of_the_currency_of_most_orders_and_orders_are_of_all() -> None:
    found = scores([spending(40, 5, "90"), spending(3, 2, "900", "EUR")], NOW, BOUNDS)
    assert found is not None
    assert (found.currency, found.spent, found.orders, found.days_since_order) == ("USD", Decimal(90), 7, 3)
    assert scores([], NOW, BOUNDS) is None


def test_the_average_basket_is_rounded_to_hundredths() -> None:
    assert spending(1, 3, "10").average == Decimal("3.33")


def test_bounds_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RB_RFM_ORDERS", "1,2,3,4.5")
    assert cuts(Settings().rfm_orders) == (1, 2, 3, 4.5)
    for wrong in ("", "1,2,3", "1,2,2,3", "1,2,x,3", "1,2,3,nan"):
        monkeypatch.setenv("RB_RFM_ORDERS", wrong)
        with pytest.raises(ValidationError):
            Settings()


ME, OTHER, R1, R2, R3 = (UUID(int=n) for n in range(1, 6))


def holding(record: UUID, profile: UUID, value: bytes, source: str = "web", day: int = 0) -> Holding:
    at = NOW + timedelta(days=day)
    return Holding("email", value, 1, record, profile, at, at, [source])


def test_what_is_held_here_comes_before_what_left() -> None:
    came = Move(UUID(int=9), "merged", OTHER, ME, frozenset({R2}), NOW)
    went = Move(UUID(int=10), "rolled_back", ME, OTHER, frozenset({R3}), NOW + timedelta(days=1))
    holdings = [
        holding(R1, ME, b"a", "web", 2),
        holding(R2, ME, b"a", "pos", 1),
        holding(R3, OTHER, b"a", "crm"),
        holding(R3, OTHER, b"b", "crm"),
    ]
    first, second = with_history(ME, holdings, [came, went], 10)
    assert (first.value_hash, first.current, first.records, first.sources) == (
        b"a",
        True,
        (R1, R2),
        ("pos", "web"),
    )
    assert (first.first_seen, first.moves) == (NOW + timedelta(days=1), (came, went))
    assert (second.value_hash, second.current, second.records, second.moves) == (b"b", False, (R3,), (went,))
    assert with_history(ME, holdings, [came, went], 1) == [first]
