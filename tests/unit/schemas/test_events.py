"""The event's shape and bounds; every error names the field, what came, and the mend, and never the value."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import ReasonCode
from pipeline.events import MAX_DEPTH, EventIn, Limits, event_uuid, parse_event, to_raw
from pipeline.field_errors import InvalidEvent
from pipeline.identity.ids import Id
from pipeline.ids import new_id

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
GOOD: dict[str, object] = {"source": "web", "event_type": "visit"}


def parse(**fields: object) -> EventIn:
    return parse_event(GOOD | fields, Limits(), NOW)


def refused(**fields: object) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        parse(**fields)
    return caught.value


def nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_a_single_value_is_a_list_of_one_and_null_is_not_given() -> None:
    event = parse(identifiers={"phone": "1", "email": ["a", "b"], "crm_id": None}, traits={"city": None})
    assert event.identifiers == {"phone": ["1"], "email": ["a", "b"]}
    assert event.traits == {}
    assert parse(identifiers=None, traits=None, payload=None).identifiers == {}


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:00+05:30", datetime(2026, 1, 31, 4, 0, tzinfo=UTC)),
        ("2026-01-31T09:30:00.250", datetime(2026, 1, 31, 9, 30, 0, 250_000, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_come_out_in_utc(text: str, utc: datetime) -> None:
    assert parse(occurred_at=text).occurred_at == utc


@pytest.mark.parametrize(
    "bad", ["soon", "1969-12-31", "0001-01-01T00:00:00+14:00", 1769851800, True, ["2026"]]
)
def test_what_is_no_time_is_refused(bad: object) -> None:
    assert refused(occurred_at=bad).errors[0].field == "occurred_at"


def test_a_day_ahead_is_the_most() -> None:
    parse(occurred_at=(NOW + timedelta(days=1)).isoformat())
    assert "future" in str(refused(occurred_at=(NOW + timedelta(days=1, seconds=1)).isoformat()))


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"source": None}, "source", ReasonCode.SCHEMA_VIOLATION),
        ({"source": "a b"}, "source", ReasonCode.SCHEMA_VIOLATION),
        ({"event_type": "x" * 65}, "event_type", ReasonCode.SCHEMA_VIOLATION),
        ({"event_type": "visit\n"}, "event_type", ReasonCode.SCHEMA_VIOLATION),
        ({"event_id": "a b"}, "event_id", ReasonCode.SCHEMA_VIOLATION),
        ({"event_id": ""}, "event_id", ReasonCode.SCHEMA_VIOLATION),
        ({"event_id": 7}, "event_id", ReasonCode.SCHEMA_VIOLATION),
        ({"correlation_id": "<x>"}, "correlation_id", ReasonCode.SCHEMA_VIOLATION),
        ({"color": "red"}, "color", ReasonCode.SCHEMA_VIOLATION),
        ({"identifiers": []}, "identifiers", ReasonCode.SCHEMA_VIOLATION),
        ({"identifiers": {"fax": "1"}}, "identifiers.fax", ReasonCode.SCHEMA_VIOLATION),
        ({"identifiers": {"phone": 5}}, "identifiers.phone", ReasonCode.SCHEMA_VIOLATION),
        ({"identifiers": {"phone": ["1", None]}}, "identifiers.phone.1", ReasonCode.SCHEMA_VIOLATION),
        ({"identifiers": {"email": "x" * 1_025}}, "identifiers.email.0", ReasonCode.TOO_LONG),
        ({"identifiers": {"phone": ["1"] * 101}}, "identifiers", ReasonCode.TOO_MANY_IDENTIFIERS),
        ({"traits": {"city": 5}}, "traits.city", ReasonCode.SCHEMA_VIOLATION),
        ({"traits": {"a b": "x"}}, "traits.a b", ReasonCode.SCHEMA_VIOLATION),
        ({"traits": {f"t{n}": "x" for n in range(101)}}, "traits", ReasonCode.SCHEMA_VIOLATION),
        ({"payload": [1]}, "payload", ReasonCode.SCHEMA_VIOLATION),
        ({"payload": {"a": "x" * 262_144}}, "payload", ReasonCode.PAYLOAD_TOO_LARGE),
        ({"payload": {"a": 2**64}}, "payload", ReasonCode.SCHEMA_VIOLATION),
        ({"payload": nested(MAX_DEPTH + 1)}, "payload", ReasonCode.SCHEMA_VIOLATION),
        ({f"f{n}": 1 for n in range(40)}, "event", ReasonCode.SCHEMA_VIOLATION),
    ],
)
def test_an_error_names_its_field(fields: dict[str, object], field: str, reason: ReasonCode) -> None:
    error = refused(**fields).errors[0]
    assert (error.field, error.reason) == (field, reason)
    assert error.problem
    assert error.mend


def test_missing_fields_are_all_named() -> None:
    with pytest.raises(InvalidEvent) as caught:
        parse_event({}, Limits(), NOW)
    assert [e.field for e in caught.value.errors] == ["source", "event_type"]
    assert caught.value.reason is ReasonCode.MISSING_FIELD


@pytest.mark.parametrize("value", [None, 3, "text", [], [{}]])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(InvalidEvent, match="send a JSON object"):
        parse_event(value, Limits(), NOW)


def test_bounds_are_met_exactly() -> None:
    parse(payload=nested(MAX_DEPTH), identifiers={"phone": ["1"] * 100}, traits={"city": "x" * 1_024})
    parse(payload={"a": "x" * (262_144 - len('{"a":""}'))})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
names = st.sampled_from([*EventIn.model_fields, "other"])


@given(st.dictionaries(names, json_values) | json_values)
def test_any_json_is_an_event_or_a_refusal(value: object) -> None:
    with suppress(InvalidEvent):
        parse_event(value, Limits(), NOW)


@given(st.text(min_size=6, alphabet=st.characters(categories=["L"])).map(lambda text: f"Ж{text}Ж"))
def test_summaries_hold_no_value_and_no_made_up_key(secret: str) -> None:
    error = refused(
        event_type={secret: secret},
        identifiers={secret: secret, "phone": [{secret: secret}]},
        traits={secret: secret, "city": [secret]},
        payload=secret,
        occurred_at=secret,
        **{secret: secret},
    )
    assert len(error.errors) >= 6
    assert secret not in error.summary
    assert secret not in str(error)


def test_event_ids() -> None:
    given_id = new_id()
    assert event_uuid("web", str(given_id)) == given_id
    assert event_uuid("web", str(given_id).upper()) == given_id
    assert event_uuid("web", "17") == Id.parse("460aeb82-d29c-5d4d-a2c9-8f6bf8f4b6af")
    assert event_uuid("web", "17") != event_uuid("pos", "17")
    assert UUID(bytes=event_uuid("web", "x" * 36)).version == 5


def test_the_raw_event_prefers_the_events_own_correlation() -> None:
    event = parse(event_id="7", correlation_id="c-own", request_id="r-own")
    raw = to_raw(event, None, None, "r-http", "c-http")
    assert (raw["request_id"], raw["correlation_id"], raw["event_id"]) == ("r-http", "c-own", "")


@pytest.mark.parametrize("name", ["14155550132", "jane_doe"])
@pytest.mark.parametrize("holder", ["identifiers", "traits"])
def test_a_name_that_a_source_made_up_is_in_no_dead_letter(holder: str, name: str) -> None:
    with pytest.raises(InvalidEvent) as raised:
        parse_event({"source": "a", "event_type": "b", holder: {name: 5}}, Limits(), NOW)
    assert name not in raised.value.summary
    assert f"{holder}.?: got a number" in raised.value.summary
