"""The example messages as values, and Avro's rules of schema resolution as a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib import resources

import avro.schema
import orjson
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from schemas.catalog import Schema, catalog

Json = dict[str, object]


def example(schema: str) -> Json:
    """schemas/examples/<schema>.json; bytes are written there as hex, times as ISO 8601."""
    text = resources.files("schemas").joinpath("examples", f"{schema}.json").read_bytes()
    value = _value(orjson.loads(catalog()[schema][-1].text), orjson.loads(text))
    assert isinstance(value, dict)
    return value


def _value(schema: object, value: object) -> object:
    match schema, value:
        case list(branches), None if "null" in branches:
            return None
        case list(branches), _:
            return _value(next(b for b in branches if b != "null"), value)
        case {"type": "record", "fields": fields}, dict():
            types = {f["name"]: f["type"] for f in fields}
            return {name: _value(types[name], item) for name, item in value.items()}
        case {"type": "array", "items": items}, list():
            return [_value(items, item) for item in value]
        case {"logicalType": "timestamp-millis"}, str():
            return datetime.fromisoformat(value)
        case "bytes", str():
            return bytes.fromhex(value)
        case {"type": "map" | "enum"} | str(), _:
            return value
        case _:
            raise AssertionError(f"{value} does not fit {schema}")


def breaks(reader: str, writer: str) -> list[str]:
    """Why a reader with the one schema (JSON text) cannot read what the other wrote; empty where it can.

    Resolution as the Avro specification 1.12 has it, and a logical type may not change: readers would take
    milliseconds for microseconds.
    """
    verdict = ReaderWriterCompatibilityChecker().get_compatibility(
        avro.schema.parse(reader), avro.schema.parse(writer)
    )
    problems = [] if verdict.compatibility is SchemaCompatibilityType.compatible else sorted(verdict.messages)
    before, after = dict(_logical(orjson.loads(writer))), dict(_logical(orjson.loads(reader)))
    changed = [path for path in before.keys() & after.keys() if before[path] != after[path]]
    return problems + [f"{path}: the logical type changes" for path in sorted(changed)]


def _logical(node: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The logical type (None without) of every primitive field, by its path."""
    match node:
        case {"type": "record", "fields": fields}:
            for field in fields:
                yield from _logical(field["type"], f"{path}/{field['name']}")
        case {"type": "array", "items": inner} | {"type": "map", "values": inner}:
            yield from _logical(inner, f"{path}/*")
        case list(branches):
            for branch in branches:
                if branch != "null":
                    yield from _logical(branch, path)
        case {"logicalType": kind}:
            yield path, kind
        case _:
            yield path, None


def incompatible(versions: tuple[Schema, ...]) -> list[str]:
    """BACKWARD_TRANSITIVE: what keeps a version from reading any version before it."""
    return [
        f"{reader.name} {reader.version} cannot read {writer.version}: {problem}"
        for place, reader in enumerate(versions)
        for writer in versions[:place]
        for problem in breaks(reader.text, writer.text)
    ]
