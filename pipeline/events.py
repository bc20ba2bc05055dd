"""The event as a caller sends it.

The gateway, and the JSON form of `events.raw`, are validated by the same `EventIn`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from pipeline import event_fields as fields
from pipeline.codes import ReasonCode
from pipeline.event_fields import (
    CONSENT,
    IDENTIFIERS,
    MAX_CONSENT,
    MAX_DEPTH,
    MAX_FUTURE,
    MAX_TEXT,
    MAX_TRAITS,
    TRAITS,
    Context,
    IdentifierName,
    Limits,
    Name,
    SourceId,
    Text,
    TraceId,
)
from pipeline.field_errors import FieldError, InvalidEvent, field_errors
from pipeline.identity.ids import Id

__all__ = [
    "MAX_DEPTH",
    "MAX_FUTURE",
    "MAX_TEXT",
    "MAX_TRAITS",
    "EventIn",
    "Limits",
    "event_id_text",
    "event_uuid",
    "parse_event",
    "to_raw",
]

EVENT_NAMESPACE = UUID("6f0a1c52-7d7e-5b0b-9d2c-2b5f3d0a9e41")  # never change: event ids rest on it
MAX_FIELDS = 32
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TOO_MANY_FIELDS = FieldError(
    "event",
    f"more than {MAX_FIELDS} fields",
    "put what the API's documentation does not name into payload",
    ReasonCode.SCHEMA_VIOLATION,
    "event",
)


Moment = Annotated[
    datetime | None,
    BeforeValidator(fields.occurred_at),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
]


class ConsentIn(BaseModel):
    """What the customer said of one purpose, and when, if not when the event happened."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    purpose: Name
    state: Literal["granted", "withdrawn"]
    at: Moment = None


class EventIn(BaseModel):
    """What a source tells about one customer at one moment. Made by `parse_event`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "example": {
                "source": "web",
                "event_type": "purchase",
                "event_id": "order-1017",
                "occurred_at": "2026-01-31T09:30:00Z",
                "identifiers": {"email": "jane.doe@postbox.io", "phone": ["+1 415 555 0132"]},
                "traits": {"first_name": "Jane", "last_name": "Doe", "postcode": "94107"},
                "payload": {"amount": 19.9, "currency": "USD", "items": [{"sku": "cd-1990", "quantity": 1}]},
            }
        },
    )

    source: Name = Field(description="The system that sends: web, app, pos, whatsapp, crm, marketplace, ...")
    event_type: Name = Field(description="What happened: purchase, page_view, registration, ...")
    event_id: SourceId | None = Field(
        None, description="The sender's own id. Sent again, it is the same event."
    )
    occurred_at: Moment = Field(
        None, description="ISO 8601; UTC where it names no zone; not given means now."
    )
    identifiers: Annotated[
        dict[IdentifierName, Annotated[list[Text], BeforeValidator(fields.as_list)]],
        BeforeValidator(fields.identifiers),
        WithJsonSchema(IDENTIFIERS),
    ] = Field(default_factory=dict, description="What names the customer: a value or a list for each type.")
    traits: Annotated[dict[Name, Text], BeforeValidator(fields.traits), WithJsonSchema(TRAITS)] = Field(
        default_factory=dict,
        description="What describes the customer: first_name, last_name, full_name, date_of_birth, gender, "
        "organisation, address, city, postcode, country, ...",
    )
    payload: Annotated[
        str | None,
        BeforeValidator(fields.payload),
        WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]}),
    ] = Field(
        None,
        description="Anything else, at most 256 KiB of JSON: amount, currency, items, ... Channel, store, record_id "
        "and the order's items, their categories too, are stored in clear: name no customer in them.",
    )
    consent: Annotated[
        list[ConsentIn],
        BeforeValidator(fields.consent),
        Field(max_length=MAX_CONSENT),
        WithJsonSchema(CONSENT),
    ] = Field(
        default_factory=list,
        description="Purposes (analytics, marketing, personalisation, ...) that the customer grants or withdraws; `at` "
        "not given means when the event happened. A purpose that the policy does not declare is left out.",
    )
    request_id: TraceId | None = Field(None, description="The request that caused the event.")
    correlation_id: TraceId | None = Field(None, description="Ties together what belongs to one interaction.")


def parse_event(value: object, limits: Limits, now: datetime) -> EventIn:
    """The event in a parsed JSON value. Raises InvalidEvent with an error for each wrong field."""
    if isinstance(value, dict) and len(value) > MAX_FIELDS:
        raise InvalidEvent([TOO_MANY_FIELDS])
    try:
        return EventIn.model_validate(value, context=Context(limits, now))
    except ValidationError as exc:
        raise InvalidEvent(field_errors(exc.errors(include_url=False))) from exc


def event_uuid(source: str, event_id: str) -> Id:
    """The id under which an event is stored: a UUID as it came, any other id made one, distinct by source.

    UUID version 5 (RFC 9562, section 5.5) of source and id under a fixed namespace.
    """
    if len(event_id) == 36:
        try:
            return Id.parse(event_id)
        except ValueError:
            pass
    return Id(uuid5(EVENT_NAMESPACE, f"{source}\x1f{event_id}").bytes)


def event_id_text(source: str, event_id: str) -> str:
    """`event_uuid` as text; most ids are that already."""
    return event_id if _CANONICAL_UUID.fullmatch(event_id) else str(event_uuid(source, event_id))


def to_raw(
    event: EventIn,
    event_id: str | None,
    accepted_at: datetime | None,
    request_id: str | None,
    correlation_id: str | None,
) -> dict[str, object]:
    """The event as a raw_event of schemas/avro. Without an id `event_id` is empty: its position names it."""
    return {
        "event_id": event_id or "",
        "source": event.source,
        "event_type": event.event_type,
        "occurred_at": event.occurred_at,
        "accepted_at": accepted_at,
        "request_id": request_id or event.request_id,
        "correlation_id": event.correlation_id or correlation_id,
        "identifiers": event.identifiers,
        "traits": event.traits,
        "payload": event.payload,
        "consent": [said.model_dump() for said in event.consent],
    }
