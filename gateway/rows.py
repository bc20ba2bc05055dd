"""Rows of Postgres as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.models import Event, Order


def event_of(row: Mapping[str, object]) -> Event:
    """An event, with its order where it has one."""
    has_order = row["order_amount"] is not None or row["items"] is not None
    order = {"amount": row["order_amount"], "currency": row["currency"], "items": row["items"] or []}
    return Event.model_validate({**row, "order": Order.model_validate(order) if has_order else None})
