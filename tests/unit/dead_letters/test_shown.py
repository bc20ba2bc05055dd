"""What may be seen of a message that nobody could process: nothing personal, whatever field it is in."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from pipeline.dead_letters.content import Content, Fields, read_content
from pipeline.dead_letters.names import shown_path
from pipeline.dead_letters.shown import look, shown
from pipeline.settings import Settings
from schemas.codec import RAW_TOPIC, Codec, load_codec

WORDS = ("jane", "roe", "4155552671", "1984", "elm", "postbox", "geheim")
SECRETS = {
    "source": "Jane Roe",
    "event_type": "jane roe",
    "event_id": "jane.roe@postbox.io",
    "occurred_at": "1984-05-01 Jane",
    "request_id": "jane roe",
    "identifiers": {"email": ["Jane.Roe@postbox.io"], "phone": 4155552671, "whatsapp": "+1 415 5552671"},
    "traits": {"gender": "Jane Roe", "date_of_birth": "Jane 1984", "address": "12 Elm", "jane@roe": "x y"},
    "payload": {"note": "geheim Jane", "amount": "4155552671", "items": [{"sku": "jane roe", "price": 9.5}]},
    "phone": "4155552671",
    "jane roe": [["Jane"]],
}


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec(Settings())


def seen(codec: Codec, value: object) -> Fields:
    found = shown(RAW_TOPIC, read_content(codec, RAW_TOPIC, orjson.dumps(value)))
    assert found is not None
    return found


@pytest.mark.parametrize("name", SECRETS)
def test_no_field_shows_what_is_personal(codec: Codec, name: str) -> None:
    text = orjson.dumps(seen(codec, {name: SECRETS[name]})).decode().lower()
    assert not [word for word in WORDS if word in text], text


def test_what_names_nobody_is_shown(codec: Codec) -> None:
    event = {
        "source": "pos",
        "event_type": "purchase",
        "event_id": "0d6f3f1c-7b0e-5c52-93a5-0f4f2f4c9d3e",
        "occurred_at": "2026-01-31T09:30:00Z",
        "correlation_id": "c/17",
        "payload": {
            "amount": 59.9,
            "currency": "USD",
            "items": [{"sku": "TEA-1", "quantity": 2}],
            "record_id": None,
        },
    }
    assert seen(codec, event) == event


def test_values_are_masked_by_their_field(codec: Codec) -> None:
    event = {"event_id": "order-1017", "identifiers": {"email": "jane@mail.net", "phone": ["+14155552671"]}}
    assert seen(codec, event) == {
        "event_id": "or***17",
        "identifiers": {"email": "j***@m***.net", "phone": ["+1***71"]},
    }


def test_long_and_deep_messages_are_cut(codec: Codec) -> None:
    deep: object = "x"
    for _ in range(200):
        deep = {"a": deep}
    found = seen(codec, {"payload": deep, "identifiers": {"phone": ["1"] * 10_000}})
    assert len(orjson.dumps(found)) < 3_000


def test_avro_is_shown_as_it_would_be_sent(codec: Codec) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    raw = {"event_id": "", "source": "pos", "event_type": "x", "occurred_at": at, "accepted_at": at}
    rest = {"request_id": None, "correlation_id": None, "identifiers": {"crm_id": ["17"]}, "traits": {}}
    content = read_content(
        codec, RAW_TOPIC, codec.encode(RAW_TOPIC, {**raw, **rest, "payload": '{"store":"s"}'})
    )
    assert content.form == "avro"
    assert content.fields == {
        "source": "pos",
        "event_type": "x",
        "occurred_at": at.isoformat(),
        "accepted_at": at.isoformat(),
        "identifiers": {"crm_id": ["17"]},
        "payload": {"store": "s"},
    }
    broken = read_content(codec, RAW_TOPIC, codec.encode(RAW_TOPIC, {**raw, **rest, "payload": "nope"}))
    assert broken.fields is not None
    assert broken.fields["payload"] == "nope"


def test_consent_is_shown_as_it_would_be_sent(codec: Codec) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    raw = {"event_id": "", "source": "pos", "event_type": "x", "identifiers": {"crm_id": ["17"]}}
    said = [{"purpose": "marketing", "state": "granted", "at": at}, {"purpose": "x", "state": "withdrawn"}]
    content = read_content(codec, RAW_TOPIC, codec.encode(RAW_TOPIC, {**raw, "consent": said}))
    assert content.fields is not None
    expected = [
        {"purpose": "marketing", "state": "granted", "at": at.isoformat()},
        {"purpose": "x", "state": "withdrawn"},
    ]
    assert content.fields["consent"] == expected
    seen = shown(RAW_TOPIC, content)
    assert seen is not None
    assert seen["consent"] == expected
    odd = Content(
        "json", 1, {"consent": [{"purpose": "jane@x.org", "state": "jane", "at": "jane", "jane": 1}]}
    )
    assert "jane" not in str(shown(RAW_TOPIC, odd))


@pytest.mark.parametrize(
    ("value", "form", "problem"),
    [
        (b'{"source": "web", ', "json", "broken JSON at character 18"),
        (b"hello", "unknown", "neither Confluent-framed Avro nor a JSON object"),
        (b"\0\0\0\0\1abc", "avro", "schema id 1 is not known"),
        (b"", "unknown", "neither Confluent-framed Avro nor a JSON object"),
    ],
)
def test_what_cannot_be_read_says_why(codec: Codec, value: bytes, form: str, problem: str) -> None:
    content = read_content(codec, RAW_TOPIC, value)
    assert content == Content(form, len(value), problem=problem)
    assert shown(RAW_TOPIC, content) is None


def test_a_look_at_bytes_shows_their_structure_only() -> None:
    broken = b'{"source": "web", "identifiers": {"phone": "+1 415 555 2671"}, "Jane": \x00\xff'
    expected = r'{"source": "w***", "identifiers": {"phone": "+1*** 4*** 5*** 2***"}, "J***": \x***\x***'
    assert look(broken) == expected
    assert len(look(b"x y" * 100_000)) < 1_300


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("payload.items.0.sku", "payload.items.0.sku"),
        ("identifiers.phone.12", "identifiers.phone.12"),
        ("traits.jane@mail.x", "traits.?.?"),
        ("traits.jane_roe", "traits.?"),
        ("payload.phones.14155550132", "payload.?.?"),
        ("payload.phones.4155", "payload.?.?"),
        ("payload.items.14155", "payload.items.?"),
        ("payload.items.0.1415", "payload.items.0.?"),
        ("identifiers.phones.1415", "identifiers.?.?"),
        ("1415", "?"),
    ],
)
def test_a_path_names_our_fields_and_places_in_our_lists_only(path: str, said: str) -> None:
    assert shown_path(path) == said


def test_names_that_a_source_made_up_are_not_shown(codec: Codec) -> None:
    made_up = {
        "payload": {
            "phones": {"14155550132": True, "4155": False},
            "jane.doe@mail.net": None,
            "jane_doe": True,
            "items": [{"sku": "TEA-1", "jane": 1}],
        },
        "jane": True,
    }
    assert seen(codec, made_up) == {
        "payload": {
            "?": {"?": True, "?2": False},
            "?2": None,
            "?3": True,
            "items": [{"sku": "TEA-1", "?": "1***"}],
        },
        "?": True,
    }
