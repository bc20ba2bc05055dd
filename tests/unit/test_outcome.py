"""The row an event is stored as."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.identity.ids import Id
from pipeline.normalized_event import Event
from pipeline.outcome import EVENT_TYPES, event_row

AT = datetime(2026, 1, 1, tzinfo=UTC)
_ITEMS = EVENT_TYPES.index("jsonb")


def row(*items: dict[str, object]) -> object:
    fields = dict.fromkeys(
        ("event_type", "channel", "store", "source_record_id", "request_id", "correlation_id")
    )
    order = {"amount": 1.0, "currency": None, "items": list(items)}
    made = Event(Id(bytes(16)), Id(bytes(16)), None, "web", AT, AT, frozenset(), {**fields, "order": order})
    return event_row(made, "linked", (), AT)[_ITEMS]


def test_items_without_a_category_are_stored_as_they_were_before_there_were_any() -> None:
    plain = {"sku": "a", "quantity": 1.0, "price": None}
    assert row({**plain, "category": None}, {**plain, "category": "tea"}) == [
        plain,
        {**plain, "category": "tea"},
    ]
    assert row() is None
