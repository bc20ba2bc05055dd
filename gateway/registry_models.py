"""What the schema registry's routes take and answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class RegistryError(BaseModel):
    """An error as a registry tells it."""

    error_code: int
    message: str


class SchemaText(BaseModel):
    """A schema."""

    kind: Literal["AVRO"] = Field(alias="schemaType")
    text: str = Field(alias="schema", description="As text.")


class SubjectVersion(BaseModel):
    """Where a schema is used."""

    subject: str
    version: int


class RegisteredSchema(SchemaText, SubjectVersion):
    """A version of a subject."""

    id: int


class SchemaId(BaseModel):
    """What the five bytes before a message name."""

    id: int


class Compatibility(BaseModel):
    """How schemas may change."""

    level: str = Field(alias="compatibilityLevel")


class Mode(BaseModel):
    """Whether schemas may be registered."""

    mode: str


ASKED: dict[str, object] = {
    "type": "object",
    "required": ["schema"],
    "properties": {
        "schema": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "An Avro schema as text.",
            "examples": ['{"type": "string"}'],
        }
    },
}
