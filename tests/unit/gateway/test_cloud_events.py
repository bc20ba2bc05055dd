"""CloudEvents as events of ours, and what is said of those that are none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.cloud_events import from_cloud_event, from_headers, is_binary
from pipeline.events import Limits, event_uuid, parse_event
from pipeline.field_errors import InvalidEvent

EVENT: dict[str, object] = {
    "specversion": "1.0",
    "id": "A234",
    "source": "/shops/7/pos",
    "type": "purchase",
    "time": "2026-01-31T09:30:00Z",
    "subject": "till 3",
    "comexampleextension": "left aside",
    "correlationid": "c-1",
    "data": {
        "identifiers": {"email": "jo@mail.test"},
        "traits": {"first_name": "Jo"},
        "payload": {"amount": 3},
    },
}
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_its_attributes_are_those_of_an_event() -> None:
    event = parse_event(from_cloud_event(EVENT), Limits(), NOW)
    assert (event.source, event.event_type, event.correlation_id) == ("pos", "purchase", "c-1")
    assert event.occurred_at == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert event.identifiers == {"email": ["jo@mail.test"]}
    assert event.event_id == str(event_uuid("cloud event", "/shops/7/pos\x1fA234"))


@pytest.mark.parametrize("event_id", ["A234", "0b0e7ad6-4b1c-4c34-9c0b-0f3b3a1f2f11"])
def test_two_shops_may_use_the_same_id(event_id: str) -> None:
    shops = ({**EVENT, "source": f"/shops/{n}/pos", "id": event_id} for n in range(2))
    assert len({from_cloud_event(event)["event_id"] for event in shops}) == 2


@pytest.mark.parametrize(
    ("source", "ours"),
    [
        ("pos", "pos"),
        ("https://shop.example/eu/web/", "web"),
        ("urn:shop:crm", "crm"),
        ("/web?page=1#top", "web"),
        ("//shop.example/app", "app"),
    ],
)
def test_the_last_part_of_its_source_is_ours(source: str, ours: str) -> None:
    assert from_cloud_event({**EVENT, "source": source})["source"] == ours
    named = {**EVENT, "source": source, "data": {"source": "whatsapp"}}
    assert from_cloud_event(named)["source"] == "whatsapp"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": None}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"source": None}, "source"),
        ({"type": []}, "type"),
        ({"data": None}, "data"),
        ({"data": "text"}, "data"),
        ({"data": {"shoe": 1}}, "data.?"),
        ({"datacontenttype": "text/xml"}, "data"),
        ({"data_base64": "e30="}, "data"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidEvent) as wrong:
        from_cloud_event({**EVENT, **change})
    assert [e.field for e in wrong.value.errors] == [field]
    assert wrong.value.errors[0].mend


def test_in_binary_mode_headers_are_its_attributes() -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "A234",
        "ce-source": "/shops/7%2Fpos",
        "ce-type": "purchase",
        "accept": "*/*",
    }
    assert is_binary(headers)
    found = from_headers(headers, EVENT["data"])
    assert found == {
        "specversion": "1.0",
        "id": "A234",
        "source": "/shops/7/pos",
        "type": "purchase",
        "data": EVENT["data"],
    }
    assert not is_binary({"accept": "*/*"})


@pytest.mark.parametrize("source", ["", 0, False, []])
def test_a_source_in_its_data_that_is_none_is_not_left_aside(source: object) -> None:
    with pytest.raises(InvalidEvent, match="source"):
        parse_event(from_cloud_event({**EVENT, "data": {"source": source}}), Limits(), NOW)
