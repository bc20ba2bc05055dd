"""Recency, frequency and monetary value as scores from 1 to 5 (Hughes 1994, *Strategic Database Marketing*).

Hughes cuts all customers into quintiles, which moves everybody's scores with everybody else's purchases and needs all
of them at once. Here the cuts are fixed bounds of the deployment ("hard coding": Miglautsch 2000, *Thoughts on RFM
scoring*): a customer's scores follow from their own orders and the time alone, and mean the same tomorrow.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

Cuts = tuple[float, float, float, float]
WINDOW = timedelta(days=365)
"""Frequency and monetary value count the orders of so long."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a score changes, each ascending: days since the last order, orders in the window, money spent in it."""

    recency_days: Cuts
    orders: Cuts
    spent: Cuts


@dataclass(frozen=True, slots=True)
class Spending:
    """The orders of a customer in one currency; `recent_` those within the window."""

    currency: str
    orders: int
    total: Decimal
    first_at: datetime
    last_at: datetime
    recent_orders: int
    recent_total: Decimal

    @property
    def average(self) -> Decimal:
        """The average basket, in hundredths."""
        return (self.total / self.orders).quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True)
class Scores:
    """1 is worst and 5 is best, with what each was made of. `currency` is that of most orders: money is not added
    across currencies."""

    recency: int
    frequency: int
    monetary: int
    days_since_order: int
    orders: int
    spent: Decimal
    currency: str


def scores(spending: Sequence[Spending], now: datetime, bounds: Bounds) -> Scores | None:
    """The scores at a moment; None where nothing was ever ordered.

    recency: 5 up to the first bound of days since the last order, 1 beyond the last. frequency and monetary: 1 below
    the first bound of orders, or money, in the window, 5 from the last on.
    """
    if not spending:
        return None
    days = max(0, (now - max(s.last_at for s in spending)).days)
    orders = sum(s.recent_orders for s in spending)
    main = min(spending, key=lambda s: (-s.orders, s.currency))
    return Scores(
        recency=5 - bisect_left(bounds.recency_days, days),
        frequency=1 + bisect_right(bounds.orders, orders),
        monetary=1 + bisect_right(bounds.spent, main.recent_total),
        days_since_order=days,
        orders=orders,
        spent=main.recent_total,
        currency=main.currency,
    )
