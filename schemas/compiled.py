"""Avro schemas as Python functions, each field a statement of its own: what writers and readers have in common.

Walking the schema for each value takes fastavro twice as long. The source text is made of our own schemas only and
compiled once; the bytes are those of the Avro 1.12 specification, and a property test holds them to fastavro's. What
no contract uses (fixed, recursive types, unions but of null and one type) is refused when the codec is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import cast

from pipeline.errors import ConfigurationError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Encoded(bytes):
    """A record, an array or a map that is in Avro already: a writer puts it where the value belongs."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Not what it holds, which may be personal."""
        return f"<{len(self)} bytes of Avro>"


class Source:
    """What both have in common: names for variables and constants, and types that are referred to by name."""

    def __init__(self, schema: object) -> None:
        self._title = schema.get("name", "a field") if isinstance(schema, dict) else "a field"
        self._named: dict[str, Mapping[str, object]] = {}
        self._numbers = count(1)
        self._constants: dict[str, object] = {}

    def fresh(self, constant: object = None) -> str:
        """A name that is used nowhere yet; that of a constant where one is given."""
        name = f"v{next(self._numbers)}"
        if constant is not None:
            self._constants[name] = constant
        return name

    def resolved(self, schema: object) -> tuple[str, Mapping[str, object]]:
        """A schema's kind and its own declaration, wherever that stands."""
        if isinstance(schema, str):
            return (
                (str(self._named[schema]["type"]), self._named[schema])
                if schema in self._named
                else (schema, {})
            )
        if isinstance(schema, list):
            return "union", {"branches": schema}
        declared = cast(Mapping[str, object], schema)
        kind = str(declared["type"])
        if "name" in declared:
            self._named[str(declared["name"])] = declared
        return (str(declared["logicalType"]) if "logicalType" in declared else kind), declared

    def optional(self, declared: Mapping[str, object]) -> tuple[int, object]:
        """Where null stands in a union of null and one type, and that type."""
        branches = cast(list[object], declared["branches"])
        if len(branches) != 2 or "null" not in branches:
            raise self.unknown("a union that is not of null and one type")
        at = branches.index("null")
        return at, branches[1 - at]

    def unknown(self, kind: str) -> ConfigurationError:
        """The error for what cannot be compiled."""
        return ConfigurationError(f"schemas/avro: {self._title}: {kind} is not supported")

    def compiled(self, lines: Iterable[str], name: str, helpers: Mapping[str, object]) -> object:
        """The function that the lines define."""
        names: dict[str, object] = {**helpers, **self._constants}
        exec(compile("\n".join(lines), f"<avro {self._title}>", "exec"), names)  # noqa: S102  # our files
        return names[name]


def fields_of(declared: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The fields of a record."""
    return cast(list[Mapping[str, object]], declared["fields"])


def indented(lines: Iterable[str]) -> list[str]:
    """The lines, one level deeper."""
    return [f" {line}" for line in lines]
