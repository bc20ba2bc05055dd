"""Every schema there is or was: avro/<name>.avsc is current, avro/history/<name>/<n>.avsc came before.

A schema's id is derived from its content, so that every process, and every deployment, knows the same ids
without asking a server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import cast

import fastavro
import orjson

from pipeline.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Schema:
    """One version of a schema. `parsed` is fastavro's form of it, `text` compact JSON."""

    name: str
    version: int
    schema_id: int
    text: str
    parsed: dict[str, object]


def _without_docs(node: object) -> object:
    if isinstance(node, dict):
        return {k: _without_docs(v) for k, v in node.items() if k != "doc"}
    if isinstance(node, list):
        return [_without_docs(v) for v in node]
    return node


def derived_id(schema: object) -> int:
    """A positive 31-bit id: the first bits of SHA-256 over the schema as sorted JSON without its docs.

    Avro's own parsing canonical form is not used because it leaves out defaults and logical types: two
    versions that differ in these are not the same contract.
    """
    digest = hashlib.sha256(orjson.dumps(_without_docs(schema), option=orjson.OPT_SORT_KEYS)).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFF_FFFF or 1


def _read(file: Traversable, name: str, version: int) -> Schema:
    try:
        source = cast(dict[str, object], orjson.loads(file.read_bytes()))
        parsed = cast(dict[str, object], fastavro.parse_schema(source))
    except (ValueError, fastavro.schema.SchemaParseException) as exc:
        raise ConfigurationError(f"schemas/avro: {file.name} of {name} is no Avro schema: {exc}") from exc
    return Schema(name, version, derived_id(source), orjson.dumps(source).decode(), parsed)


def _versions(folder: Traversable, name: str) -> tuple[Schema, ...]:
    past = folder.joinpath("history", name)
    numbers = sorted(int(f.name.removesuffix(".avsc")) for f in past.iterdir()) if past.is_dir() else []
    found = [_read(past.joinpath(f"{n}.avsc"), name, n) for n in numbers]
    current = _read(folder.joinpath(f"{name}.avsc"), name, numbers[-1] + 1 if numbers else 1)
    if found and found[-1].schema_id == current.schema_id:
        found[-1] = Schema(name, found[-1].version, current.schema_id, current.text, current.parsed)
        return tuple(found)
    return (*found, current)


@lru_cache(maxsize=1)
def catalog() -> Mapping[str, tuple[Schema, ...]]:
    """The versions of each schema, oldest first; the last one is current.

    Raises ConfigurationError where a file is no schema or two schemas share an id.
    """
    folder = resources.files("schemas").joinpath("avro")
    names = sorted(f.name.removesuffix(".avsc") for f in folder.iterdir() if f.name.endswith(".avsc"))
    found = {name: _versions(folder, name) for name in names}
    check_ids([schema for versions in found.values() for schema in versions])
    return MappingProxyType(found)


def check_ids(schemas: list[Schema]) -> None:
    """Raises ConfigurationError where two different schemas share an id (1 in 2^31 a pair)."""
    seen: dict[int, Schema] = {}
    for schema in schemas:
        other = seen.setdefault(schema.schema_id, schema)
        if other is not schema and other.name != schema.name:
            raise ConfigurationError(
                f"schemas {other.name} and {schema.name} share the id {schema.schema_id}: "
                "change one of them, for instance by an alias"
            )
