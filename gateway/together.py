"""What a body's fields have to be beside each other, as JSON Schema for `json_schema_extra`; null means not given."""

from __future__ import annotations

from pydantic.config import JsonDict

TEXT: JsonDict = {"type": "string"}
OBJECT: JsonDict = {"type": "object"}
SOME: JsonDict = {"type": "array", "minItems": 1}


def given(**fields: JsonDict) -> JsonDict:
    """These fields are there, and are so."""
    return {"required": [*fields], "properties": {**fields}}


def any_of(*schemas: JsonDict) -> JsonDict:
    """At least one of them holds."""
    return {"anyOf": [*schemas]}


def one_of(*schemas: JsonDict) -> JsonDict:
    """One of them holds, and no other."""
    return {"oneOf": [*schemas]}


def all_of(*schemas: JsonDict) -> JsonDict:
    """All of them hold."""
    return {"allOf": [*schemas]}
