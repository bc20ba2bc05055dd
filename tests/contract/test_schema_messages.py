"""Example messages, the framing, and what the codec refuses."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import fastavro
import httpx
import orjson
import pytest

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage, ConfigurationError, RegistryUnavailable
from pipeline.events import Limits
from pipeline.settings import Settings
from schemas.catalog import Schema, catalog, check_ids, content_of, derived_id
from schemas.codec import Codec, load_codec, register_all
from schemas.registry import Registry
from schemas.topics import topics
from tests.support.contracts import example

NOW = datetime(2026, 2, 1, tzinfo=UTC)


def current(name: str) -> Schema:
    return catalog()[name][-1]


def framed(schema_id: int, schema: object, value: object) -> bytes:
    out = io.BytesIO(b"\0" + schema_id.to_bytes(4, "big"))
    out.seek(5)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def refusal(call: Callable[[], object]) -> ReasonCode:
    with pytest.raises(BadMessage) as caught:
        call()
    return caught.value.reason


@pytest.fixture
def codec() -> Codec:
    return load_codec(Settings())


@pytest.mark.parametrize("topic", sorted(topics()))
def test_the_example_goes_through_unchanged(codec: Codec, topic: str) -> None:
    schema = current(topics()[topic].schema)
    value = example(schema.name)
    assert set(value) == {f["name"] for f in orjson.loads(schema.text)["fields"]}
    message = codec.encode(topic, value)
    assert message[0] == 0
    assert int.from_bytes(message[1:5], "big") == schema.schema_id
    assert codec.decode(topic, message) == value


def test_ids_are_positive_stable_and_blind_to_docs() -> None:
    assert derived_id(content_of({"type": "int"})) == 36156674
    source = orjson.loads(current("raw_event").text)
    assert content_of({**source, "doc": "said better"}) == content_of(source)
    assert all(0 < s.schema_id < 2**31 for versions in catalog().values() for s in versions)


def test_two_schemas_with_one_id_are_refused() -> None:
    ours = current("raw_event")
    check_ids([ours, ours])
    with pytest.raises(ConfigurationError, match="share the id"):
        check_ids([ours, replace(ours, name="other", content=b"{}")])


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b"[]", b"text", b"{", b'{"a": "\xff"}', b"{}}"])
def test_bytes_that_are_neither_are_undecodable(codec: Codec, data: bytes) -> None:
    assert refusal(lambda: codec.decode("events.raw", data)) is ReasonCode.UNDECODABLE


def test_a_damaged_body_is_undecodable(codec: Codec) -> None:
    message = codec.encode("events.raw", example("raw_event"))
    assert refusal(lambda: codec.decode("events.raw", message[:-1])) is ReasonCode.UNDECODABLE
    assert refusal(lambda: codec.decode("events.raw", message + b"\0")) is ReasonCode.UNDECODABLE


def test_unknown_ids_and_other_topics_schemas_are_told_apart(codec: Codec) -> None:
    assert refusal(lambda: codec.decode("events.raw", b"\0\0\0\0\x01x")) is ReasonCode.UNKNOWN_SCHEMA
    linked = codec.encode("events.linked", example("linked_event"))
    assert refusal(lambda: codec.decode("events.raw", linked)) is ReasonCode.SCHEMA_VIOLATION
    assert refusal(lambda: codec.decode("events.linked", b'{"a": 1}')) is ReasonCode.UNDECODABLE


def test_a_value_that_does_not_fit_is_refused(codec: Codec) -> None:
    value = example("raw_event")
    for wrong in ({**value, "sorce": "web"}, {**value, "source": None}, {**value, "traits": {"a": 1}}):
        assert refusal(lambda wrong=wrong: codec.encode("events.raw", wrong)) is ReasonCode.SCHEMA_VIOLATION


def test_json_on_the_raw_topic_is_read_as_the_gateway_reads_it(codec: Codec) -> None:
    sent = {"source": "pos", "event_type": "sale", "identifiers": {"phone": "1"}, "payload": {"amount": 2}}
    raw = codec.decode("events.raw", orjson.dumps(sent))
    assert raw["identifiers"] == {"phone": ["1"]}
    assert raw["payload"] == '{"amount":2}'
    assert raw["event_id"] == ""
    assert set(raw) == set(example("raw_event"))
    assert codec.decode("events.raw", orjson.dumps({**sent, "event_id": "7"}))["event_id"] == "7"


def test_json_errors_name_the_field_and_never_the_value(codec: Codec) -> None:
    good = {"source": "pos", "event_type": "sale"}
    cases = {
        ReasonCode.MISSING_FIELD: {"source": "pos"},
        ReasonCode.TOO_MANY_IDENTIFIERS: {**good, "identifiers": {"phone": ["1"] * 101}},
        ReasonCode.PAYLOAD_TOO_LARGE: {**good, "payload": {"a": "x" * 262_144}},
        ReasonCode.TOO_LONG: {**good, "traits": {"city": "x" * 1_025}},
        ReasonCode.SCHEMA_VIOLATION: {**good, "identifiers": {"marked-secret": "marked-secret"}},
    }
    for reason, value in cases.items():
        with pytest.raises(BadMessage) as caught:
            codec.decode("events.raw", orjson.dumps(value))
        assert caught.value.reason is reason
        assert "marked-secret" not in str(caught.value)


class FakeRegistry:
    """A registry that numbers what it is given, from 101."""

    def __init__(self) -> None:
        self.schemas: list[str] = []
        self.subjects: set[str] = set()
        self.away = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            return httpx.Response(503)
        if request.method == "POST":
            text = orjson.loads(request.content)["schema"]
            self.subjects.add(request.url.path.split("/")[2])
            if text not in self.schemas:
                self.schemas.append(text)
            return httpx.Response(200, json={"id": 101 + self.schemas.index(text)})
        number = int(request.url.path.rsplit("/", 1)[1]) - 101
        if 0 <= number < len(self.schemas):
            return httpx.Response(200, json={"schema": self.schemas[number]})
        return httpx.Response(404, json={"error_code": 40403, "message": "Schema not found"})


def test_with_a_registry_its_ids_count_and_foreign_versions_are_fetched() -> None:
    server = FakeRegistry()
    registry = Registry("http://registry", httpx.MockTransport(server.answer))
    ids = register_all(registry, "tenant.")
    assert ids == register_all(registry, "tenant.")
    assert server.subjects == {f"tenant.{name}-value" for name in topics()}
    codec = Codec(ids, Limits(), lambda: NOW, registry.schema)
    message = codec.encode("events.raw", example("raw_event"))
    assert int.from_bytes(message[1:5], "big") == ids["raw_event", current("raw_event").version]

    newer = orjson.loads(current("raw_event").text)
    newer["fields"].append({"name": "campaign", "type": "string", "default": ""})
    server.schemas.append(orjson.dumps(newer).decode())
    foreign = framed(100 + len(server.schemas), newer, {**example("raw_event"), "campaign": "spring"})
    assert codec.decode("events.raw", foreign) == example("raw_event")
    assert refusal(lambda: codec.decode("events.raw", b"\0\0\0\xff\xff")) is ReasonCode.UNKNOWN_SCHEMA
    server.away = True
    with pytest.raises(RegistryUnavailable):
        codec.decode("events.raw", b"\0\0\0\xff\xff")
    assert codec.decode("events.raw", foreign) == example("raw_event")


def test_an_unknown_enum_symbol_becomes_unknown() -> None:
    newer = orjson.loads(current("linked_event").text)
    decision = next(f for f in newer["fields"] if f["name"] == "decision")
    decision["type"]["symbols"].append("guessed")
    ids = {(s.name, s.version): s.schema_id for versions in catalog().values() for s in versions}
    codec = Codec(ids, Limits(), lambda: NOW, lambda _: fastavro.parse_schema(newer))
    message = framed(9, newer, {**example("linked_event"), "decision": "guessed"})
    assert codec.decode("events.linked", message)["decision"] == "unknown"
