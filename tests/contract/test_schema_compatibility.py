"""A schema that changes in a way that breaks what is on the topics fails here."""

from __future__ import annotations

import orjson
import pytest

from schemas.catalog import catalog, unfrozen
from schemas.topics import topics
from tests.support.contracts import breaks, incompatible


@pytest.mark.parametrize("name", sorted(catalog()))
def test_each_version_reads_all_before_it(name: str) -> None:
    assert incompatible(catalog()[name]) == []


def test_every_schema_is_kept_as_a_version() -> None:
    changed = [schema.name for schema in unfrozen()]
    assert changed == [], "schemas changed: run `python -m schemas.freeze` and commit schemas/avro/history"


def test_every_topic_has_a_schema_and_every_schema_a_topic() -> None:
    assert {topic.schema for topic in topics().values()} == set(catalog())
    assert {topic.compatibility for topic in topics().values()} == {"BACKWARD_TRANSITIVE"}


def record(*fields: dict[str, object], name: str = "A") -> str:
    return orjson.dumps({"type": "record", "name": name, "namespace": "n", "fields": list(fields)}).decode()


def field(kind: object, name: str = "a", **more: object) -> dict[str, object]:
    return {"name": name, "type": kind, **more}


def enum(*symbols: str, **more: object) -> dict[str, object]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def time(unit: str) -> dict[str, object]:
    return {"type": "long", "logicalType": f"timestamp-{unit}"}


def array(items: object) -> dict[str, object]:
    return {"type": "array", "items": items}


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        (record(field("int"), field("int", "b")), record(field("int"))),
        (record(field("int")), record(field("long"))),
        (record(field("string")), record(field(["null", "string"]))),
        (record(field(enum("x"))), record(field(enum("x", "y")))),
        (record(field(array("int"))), record(field(array("string")))),
        (record(field(time("millis"))), record(field(time("micros")))),
        (record(field(["null", time("millis")])), record(field(["null", "long"]))),
        (record(field("int"), name="B"), record(field("int"))),
        (record(field("int", "b")), record(field("int"))),
    ],
    ids=["added", "narrowed", "required", "enum", "items", "unit", "logical", "renamed", "field-renamed"],
)
def test_a_breaking_change_is_seen(reader: str, writer: str) -> None:
    assert breaks(reader, writer)


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        (record(field("int"), field("int", "b", default=1)), record(field("int"))),
        (record(field("int")), record(field("int"), field("string", "b"))),
        (record(field("long")), record(field("int"))),
        (record(field(["null", "string"])), record(field("string"))),
        (record(field(enum("x", default="x"))), record(field(enum("x", "y")))),
        (record(field("int", "b", aliases=["a"])), record(field("int"))),
        (record(field(time("millis"), doc="said better")), record(field(time("millis")))),
    ],
    ids=["default", "removed", "widened", "optional", "enum-default", "alias", "doc"],
)
def test_a_compatible_change_passes(reader: str, writer: str) -> None:
    assert breaks(reader, writer) == []
