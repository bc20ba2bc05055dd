"""The schemas of our topics as entries of a registry."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from gateway.ports import ports_of
from schemas.catalog import Schema, catalog
from schemas.topics import Topic, topics


@dataclass(frozen=True, slots=True)
class Entry:
    """A version of a subject."""

    subject: str
    topic: Topic
    schema: Schema
    schema_id: int

    def body(self) -> dict[str, object]:
        """As a registry tells it."""
        return {
            "subject": self.subject,
            "version": self.schema.version,
            "id": self.schema_id,
            "schemaType": "AVRO",
            "schema": self.schema.text,
        }


def all_entries(request: Request) -> list[Entry]:
    """Every version of every subject."""
    ports = ports_of(request)
    ids, prefix = ports.codec.ids, ports.settings.topic_prefix
    return [
        Entry(prefix + topic.subject, topic, schema, ids[schema.name, schema.version])
        for topic in topics().values()
        for schema in catalog()[topic.schema]
    ]


def of_subject(request: Request, subject: str) -> list[Entry]:
    """Its versions, the oldest first; none of a subject that is not known."""
    return [entry for entry in all_entries(request) if entry.subject == subject]
