"""Every schema there is or was: avro/<name>.avsc is current, avro/history/<name>/<n>.avsc came before.

A schema's id is derived from its content, so that every process, and every deployment, knows the same ids
without asking a server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import chain
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
    content: bytes
    text: str
    parsed: dict[str, object]


def _without_docs(node: object) -> object:
    if isinstance(node, dict):
        return {k: _without_docs(v) for k, v in node.items() if k != "doc"}
    if isinstance(node, list):
        return [_without_docs(v) for v in node]
    return node


def content_of(schema: object) -> bytes:
    """A schema as sorted JSON without its docs.

    Avro's own parsing canonical form is not used because it leaves out defaults and logical types: two
    versions that differ in these are not the same contract.
    """
    return orjson.dumps(_without_docs(schema), option=orjson.OPT_SORT_KEYS)


def derived_id(content: bytes) -> int:
    """A positive 31-bit id: the first bits of the content's SHA-256."""
    digest = hashlib.sha256(content).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFF_FFFF or 1


def _read(file: Traversable, name: str, version: int) -> Schema:
    try:
        source = cast(dict[str, object], orjson.loads(file.read_bytes()))
        parsed = cast(dict[str, object], fastavro.parse_schema(source))
    except (ValueError, fastavro.schema.SchemaParseException) as exc:
        raise ConfigurationError(f"schemas/avro: {file.name} of {name} is no Avro schema: {exc}") from exc
    content = content_of(source)
    return Schema(name, version, derived_id(content), content, orjson.dumps(source).decode(), parsed)


def _frozen(folder: Traversable, name: str) -> list[Schema]:
    past = folder.joinpath("history", name)
    numbers = sorted(int(f.name.removesuffix(".avsc")) for f in past.iterdir()) if past.is_dir() else []
    return [_read(past.joinpath(f"{n}.avsc"), name, n) for n in numbers]


def _versions(folder: Traversable, name: str) -> tuple[Schema, ...]:
    frozen = _frozen(folder, name)
    current = _read(folder.joinpath(f"{name}.avsc"), name, len(frozen) + 1)
    if frozen and frozen[-1].content == current.content:
        return (*frozen[:-1], replace(current, version=frozen[-1].version))
    return (*frozen, current)


@lru_cache(maxsize=1)
def catalog() -> Mapping[str, tuple[Schema, ...]]:
    """The versions of each schema, oldest first; the last one is current.

    Raises ConfigurationError where a file is no schema or two schemas share an id.
    """
    found = {name: _versions(_folder(), name) for name in _names()}
    check_ids(chain.from_iterable(found.values()))
    return MappingProxyType(found)


def unfrozen() -> list[Schema]:
    """Current schemas that are not kept as a version yet."""
    last = {name: frozen[-1].version if (frozen := _frozen(_folder(), name)) else 0 for name in _names()}
    return [versions[-1] for name, versions in catalog().items() if versions[-1].version > last[name]]


def _folder() -> Traversable:
    return resources.files("schemas").joinpath("avro")


def _names() -> list[str]:
    return sorted(f.name.removesuffix(".avsc") for f in _folder().iterdir() if f.name.endswith(".avsc"))


def check_ids(schemas: Iterable[Schema]) -> None:
    """Raises ConfigurationError where two different schemas share an id (1 in 2^31 a pair)."""
    seen: dict[int, Schema] = {}
    for schema in schemas:
        other = seen.setdefault(schema.schema_id, schema)
        if other.content != schema.content:
            raise ConfigurationError(
                f"schemas {other.name} {other.version} and {schema.name} {schema.version} share the id "
                f"{schema.schema_id}: change one of them, for instance by an alias"
            )
