"""The compiled codec writes and reads what fastavro does, and bytes of any kind are a message or refused."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import cast

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage, ConfigurationError
from pipeline.settings import Settings
from schemas.catalog import catalog
from schemas.codec import Codec, load_codec
from schemas.compiled import Encoded
from schemas.reader import reader_of
from schemas.topics import topics
from schemas.writer import writer_of
from tests.support.contracts import example

MILLIS = st.datetimes(datetime(1950, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1_000 * 1_000)
)
PLAIN: dict[str, st.SearchStrategy[object]] = {
    "null": st.none(),
    "string": st.text(st.characters(exclude_categories=["Cs"])),
    "bytes": st.binary(max_size=200),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
}


def values(schema: object) -> st.SearchStrategy[object]:
    """Values of a parsed schema."""
    if isinstance(schema, str):
        return PLAIN[schema]
    if isinstance(schema, list):
        return st.one_of([values(branch) for branch in schema])
    declared = cast(dict[str, object], schema)
    if "logicalType" in declared:
        return MILLIS
    match declared["type"]:
        case "array":
            return st.lists(values(declared["items"]), max_size=3)
        case "map":
            return st.dictionaries(
                cast(st.SearchStrategy[str], PLAIN["string"]), values(declared["values"]), max_size=3
            )
        case "enum":
            return st.sampled_from(cast(list[str], declared["symbols"]))
    fields = cast(list[dict[str, object]], declared["fields"])
    return st.fixed_dictionaries({str(f["name"]): values(f["type"]) for f in fields})


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec(Settings())


@pytest.mark.parametrize("topic", sorted(topics()))
@given(data=st.data())
def test_bytes_and_values_are_fastavros(codec: Codec, topic: str, data: st.DataObject) -> None:
    schema = catalog()[topics()[topic].schema][-1].parsed
    value = cast(dict[str, object], data.draw(values(schema)))
    message = codec.encode(topic, value)
    theirs = io.BytesIO()
    fastavro.schemaless_writer(theirs, schema, value)
    assert message[5:] == theirs.getvalue()
    assert codec.decode(topic, message) == value
    cut = data.draw(st.integers(5, len(message) - 1))
    with pytest.raises(BadMessage) as caught:
        codec.decode(topic, message[:cut])
    assert caught.value.reason is ReasonCode.UNDECODABLE


@pytest.mark.parametrize("topic", sorted(topics()))
@given(body=st.binary(max_size=80), data=st.data())
def test_any_bytes_are_a_message_or_refused(
    codec: Codec, topic: str, body: bytes, data: st.DataObject
) -> None:
    whole = codec.encode(topic, example(topics()[topic].schema))
    at = data.draw(st.integers(5, len(whole)))
    for message in (whole[:5] + body, whole[:at] + body, whole[:at] + body + whole[at:]):
        try:
            found = codec.decode(topic, message)
        except BadMessage:
            continue
        assert codec.encode(topic, found)


MAPS = ("identifiers", "traits")
RAW = catalog()["raw_event"][-1].parsed


@given(value=values(RAW), blocks=st.booleans())
def test_fields_are_kept_and_put_in_again(codec: Codec, value: dict[str, object], blocks: bool) -> None:
    """As maps that tell their bytes, and as those that do not; other readers take either."""
    encoded = {
        name: codec.encode_field("events.raw", name, cast(dict[str, object], value[name])) for name in MAPS
    }
    message = codec.encode("events.raw", {**value, **encoded} if blocks else value)
    assert fastavro.schemaless_reader(io.BytesIO(message[5:]), RAW, None) == value
    assert codec.decode("events.raw", message) == value
    kept = codec.decode("events.raw", message, MAPS)
    assert {name: item for name, item in kept.items() if name not in MAPS} == {
        name: item for name, item in value.items() if name not in MAPS
    }
    for name in MAPS:
        assert codec.decode_field("events.raw", name, cast(Encoded, kept[name])) == value[name]
    assert codec.encode("events.raw", kept) == message


NESTED = "record.identifiers"
NORMALIZED = catalog()["normalized_event"][-1].parsed


@given(value=values(NORMALIZED))
def test_a_field_of_a_record_is_kept_where_there_is_the_record(
    codec: Codec, value: dict[str, object]
) -> None:
    message = codec.encode("events.normalized", value)
    kept = codec.decode("events.normalized", message, (NESTED,))
    record, mine = (cast(dict[str, object] | None, v["record"]) for v in (value, kept))
    if record is None or mine is None:
        assert kept == value
    else:
        found = codec.decode_field("events.normalized", NESTED, cast(Encoded, mine["identifiers"]))
        assert {**mine, "identifiers": found} == record
    assert codec.encode("events.normalized", kept) == message


@pytest.mark.parametrize(
    "type_",
    [
        {"type": "fixed", "name": "four", "size": 4},
        ["null", "string", "long"],
        "float",
    ],
)
def test_what_cannot_be_compiled_is_refused(type_: object) -> None:
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "f", "type": type_}]})
    for compiled in (writer_of, reader_of):
        with pytest.raises(ConfigurationError, match=r"is not supported"):
            compiled(schema)


@pytest.mark.parametrize(
    ("type_", "wrong"),
    [
        ("int", 2**31),
        ("long", 2**63),
        ("long", 1.5),
        ("long", "1"),
        ("double", "1"),
        ("string", b"a"),
        ("string", 1),
        ("string", "\ud800"),
        ("bytes", "a"),
        ("boolean", 2),
        ("boolean", None),
        ({"type": "enum", "name": "e", "symbols": ["a"]}, "b"),
        ({"type": "long", "logicalType": "timestamp-millis"}, datetime(2026, 1, 1)),  # noqa: DTZ001
        ({"type": "map", "values": "string"}, ["a"]),
        ({"type": "array", "items": "string"}, 3),
    ],
)
def test_a_value_of_another_type_is_not_written(type_: object, wrong: object) -> None:
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "f", "type": type_}]})
    with pytest.raises(Exception):  # noqa: B017, PT011  # whatever it is, the codec makes it a BadMessage
        writer_of(schema)({"f": wrong}, b"")
