"""Raw events from Kafka: the gateway's bounds hold for other producers too, and each refusal names its field."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import RFC_4122, UUID

import pytest

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.events import Limits
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.raw_event import CUSTOMER, RawEvent, raw_event, raw_id, read_customer
from pipeline.settings import Settings
from pipeline.stream.batch import Message
from schemas.codec import load_codec

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MESSAGE = Message("p.events.raw", 3, 17, NOW - timedelta(seconds=1), None, b"")
CODEC = load_codec(Settings())
LIMITS = Limits(max_identifiers=3, max_payload_bytes=20)


def event(**changes: object) -> RawEvent:
    fields: dict[str, object] = {
        "event_id": "order-1",
        "source": "pos",
        "event_type": "purchase",
        "occurred_at": None,
        "accepted_at": None,
        "request_id": None,
        "correlation_id": None,
        "identifiers": {},
        "traits": {},
        "payload": None,
        "consent": [],
    }
    fields |= changes
    for name in CUSTOMER:
        fields[name] = CODEC.encode_field("events.raw", name, cast(Sized, fields[name]))
    found = raw_event(MESSAGE, fields, LIMITS, NOW)
    read_customer(CODEC, LIMITS, found.identifiers, found.traits)
    return found


def test_what_is_not_said_follows_from_the_message() -> None:
    found = event(event_id="")
    assert found.accepted_at == found.occurred_at == MESSAGE.timestamp
    assert found.event_id == found.raw_id == raw_id(MESSAGE)


def test_a_uuid_is_kept_and_other_ids_are_distinct_by_source() -> None:
    own = new_id()
    assert event(event_id=str(own)).event_id == own
    assert event().event_id == event().event_id != event(source="crm").event_id


def test_the_raw_id_is_the_place_and_tells_a_new_topic_from_the_old() -> None:
    assert raw_id(MESSAGE) == raw_id(replace(MESSAGE, value=b"x", key=b"y"))
    others = [
        replace(MESSAGE, offset=18),
        replace(MESSAGE, partition=1),
        replace(MESSAGE, topic="events.raw"),
        replace(MESSAGE, timestamp=NOW),
    ]
    ids: set[Id] = {raw_id(m) for m in [MESSAGE, *others]}
    assert len(ids) == 5


def test_raw_ids_ascend_with_time_then_place() -> None:
    later = replace(MESSAGE, timestamp=MESSAGE.timestamp + timedelta(milliseconds=1), partition=0, offset=0)
    inside = [replace(MESSAGE, partition=p, offset=o) for p, o in ((1, 18), (1, 19), (300, 2))]
    ids = [raw_id(m) for m in (*inside, later)]
    assert ids == sorted(ids)
    assert {(u.version, u.variant) for u in (UUID(bytes=i) for i in ids)} == {(8, RFC_4122)}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("source", "", ReasonCode.MISSING_FIELD),
        ("source", "two words", ReasonCode.SCHEMA_VIOLATION),
        ("source", "pos\n", ReasonCode.SCHEMA_VIOLATION),
        ("event_type", "x" * 65, ReasonCode.SCHEMA_VIOLATION),
        ("event_id", "a b", ReasonCode.SCHEMA_VIOLATION),
        ("event_id", "x" * 129, ReasonCode.SCHEMA_VIOLATION),
        ("request_id", "{}", ReasonCode.SCHEMA_VIOLATION),
        ("correlation_id", "jane doe", ReasonCode.SCHEMA_VIOLATION),
        ("occurred_at", NOW + timedelta(days=2), ReasonCode.SCHEMA_VIOLATION),
        ("occurred_at", datetime(1969, 1, 1, tzinfo=UTC), ReasonCode.SCHEMA_VIOLATION),
        ("accepted_at", datetime(1999, 1, 1, tzinfo=UTC), ReasonCode.SCHEMA_VIOLATION),
        ("accepted_at", NOW + timedelta(days=2), ReasonCode.SCHEMA_VIOLATION),
        ("identifiers", {"phone": ["1"] * 4}, ReasonCode.TOO_MANY_IDENTIFIERS),
        ("identifiers", {str(i): [] for i in range(4)}, ReasonCode.TOO_MANY_IDENTIFIERS),
        ("identifiers", {"email": ["x" * 1_025]}, ReasonCode.TOO_LONG),
        ("traits", {"first_name": "x" * 1_025}, ReasonCode.TOO_LONG),
        ("traits", {str(i): "x" for i in range(101)}, ReasonCode.SCHEMA_VIOLATION),
        ("payload", '{"a": "%s"}' % ("x" * 20), ReasonCode.PAYLOAD_TOO_LARGE),
        ("payload", '{"a": "%s"}' % ("ж" * 7), ReasonCode.PAYLOAD_TOO_LARGE),
    ],
)
def test_out_of_bounds_names_the_field_and_not_the_value(
    field: str, value: object, reason: ReasonCode
) -> None:
    with pytest.raises(BadMessage) as caught:
        event(**{field: value})
    assert caught.value.reason is reason
    assert caught.value.detail.startswith(field)
    assert "jane" not in caught.value.detail


def test_what_an_event_holds_is_not_shown() -> None:
    found = event(
        identifiers={"email": ["jane@x.io"]}, traits={"first_name": "jane"}, payload='{"a": "jane"}'
    )
    assert "jane" not in repr(found) + repr(found.identifiers) + repr(found.traits)


def said(**changes: object) -> list[dict[str, object]]:
    return [{"purpose": "marketing", "state": "granted", "at": None, **changes}]


def test_what_is_said_without_a_time_was_said_when_the_event_happened() -> None:
    at = NOW - timedelta(days=2)
    (statement,) = event(consent=said(), occurred_at=at).consent
    assert statement == ("marketing", "granted", at, "pos")
    assert event(consent=said(at=NOW)).consent[0].at == NOW


@pytest.mark.parametrize(
    ("consent", "field"),
    [
        (said() * 51, "consent"),
        (said(state="unknown"), "consent.state"),
        (said(purpose="jane@postbox.io"), "consent.purpose"),
        (said(at=NOW + timedelta(days=3)), "consent.at"),
    ],
)
def test_consent_out_of_bounds_names_the_field_and_not_the_value(
    consent: list[dict[str, object]], field: str
) -> None:
    with pytest.raises(BadMessage) as caught:
        event(consent=consent)
    assert caught.value.detail.startswith(f"{field}: ")
    assert "jane" not in caught.value.detail
