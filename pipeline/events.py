"""The event as a caller sends it: its shape, its bounds, and errors that say what to mend.

The gateway, and the JSON form of `events.raw`, are validated by the same `EventIn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, cast
from uuid import UUID, uuid5

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from pipeline.codes import ReasonCode
from pipeline.field_errors import FieldError, InvalidEvent, field_errors
from pipeline.settings import Settings

EVENT_NAMESPACE = UUID("6f0a1c52-7d7e-5b0b-9d2c-2b5f3d0a9e41")  # never change: event ids rest on it
MAX_FIELDS = 32
MAX_TEXT = 1_024
MAX_TRAITS = 100
MAX_DEPTH = 32
MAX_FUTURE = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TOO_MANY_FIELDS = FieldError(
    "event",
    f"more than {MAX_FIELDS} fields",
    "put what the API's documentation does not name into payload",
    ReasonCode.SCHEMA_VIOLATION,
    "event",
)

IdentifierName = Literal[
    "phone", "email", "loyalty_id", "crm_id", "whatsapp", "marketplace_id", "device_id", "cookie_id"
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
TraceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/+=@-]{1,128}$")]
SourceId = Annotated[str, Field(pattern=r"^[^\s\p{C}]{1,128}$")]
Text = Annotated[str, Field(max_length=MAX_TEXT)]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that are settings. `max_payload_bytes` counts the payload as compact JSON in UTF-8."""

    max_identifiers: int = 100
    max_payload_bytes: int = 262_144

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits the settings hold."""
        return cls(settings.max_identifiers, settings.max_payload_bytes)


@dataclass(frozen=True, slots=True)
class _Context:
    limits: Limits
    now: datetime


def _context(info: ValidationInfo) -> _Context:
    if not isinstance(info.context, _Context):
        raise TypeError("events are validated by parse_event, which knows the limits and the time")
    return info.context


def _given(value: object) -> object:
    """null means not given, for a value of a mapping as for a whole field."""
    if value is None:
        return {}
    if isinstance(value, dict) and None in value.values():
        return {name: item for name, item in value.items() if item is not None}
    return value


def _identifiers(value: object, info: ValidationInfo) -> object:
    value = _given(value)
    if isinstance(value, dict):
        most = _context(info).limits.max_identifiers
        count = sum(len(item) if isinstance(item, list) else 1 for item in value.values())
        if count > most:
            raise PydanticCustomError(
                "too_many_identifiers",
                "{count} identifiers",
                {"count": count, "mend": f"send at most {most} identifiers in one event"},
            )
    return value


def _traits(value: object) -> object:
    if isinstance(value, dict) and len(value) > MAX_TRAITS:
        raise PydanticCustomError(
            "too_many_traits",
            "{count} traits",
            {"count": len(value), "mend": f"send at most {MAX_TRAITS} traits; other facts go into payload"},
        )
    return _given(value)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _occurred_at(value: object, info: ValidationInfo) -> datetime | None:
    if value is None:
        return None
    mend = "send ISO 8601 with a zone, such as 2026-01-31T09:30:00Z"
    if isinstance(value, datetime):
        at = value
    elif isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("not_a_time", "text that is no time", {"mend": mend}) from None
    else:
        raise PydanticCustomError("not_a_time", "a time as text is needed", {"mend": mend})
    try:
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time_too_early", "out of range", {"mend": mend}) from None
    if at < _EPOCH:
        raise PydanticCustomError("time_too_early", "before 1970", {"mend": mend})
    if at > _context(info).now + MAX_FUTURE:
        raise PydanticCustomError(
            "time_in_future",
            "more than one day in the future",
            {"mend": "send the time the event happened; check the sender's clock and zone"},
        )
    return at


def _too_deep(value: object) -> bool:
    level: Sequence[object] = (value,)
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for node in level:
            children = node.values() if isinstance(node, dict) else cast(list[object], node)
            inner += [child for child in children if isinstance(child, dict | list)]
        if not inner:
            return False
        level = inner
    return True


def _payload(value: object, info: ValidationInfo) -> str | None:
    """The payload as compact JSON text: serialised once, measured, and passed on as it is."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise PydanticCustomError(
            "dict_type", "an object is needed", {"mend": 'send a JSON object, such as {"order_id": "17"}'}
        )
    if _too_deep(value):
        raise PydanticCustomError(
            "payload_too_deep",
            "nested too deeply",
            {"mend": f"nest objects and lists at most {MAX_DEPTH} deep"},
        )
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise PydanticCustomError(
            "payload_not_json", "no JSON", {"mend": "send numbers of at most 64 bits and text in UTF-8"}
        ) from None
    most = _context(info).limits.max_payload_bytes
    if len(text) > most:
        raise PydanticCustomError(
            "payload_too_large",
            "{size} bytes of JSON",
            {"size": len(text), "mend": f"send at most {most} bytes; of a large object send a link"},
        )
    return text.decode()


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
    occurred_at: Annotated[
        datetime | None,
        BeforeValidator(_occurred_at),
        WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
    ] = Field(None, description="ISO 8601; UTC where it names no zone; not given means now.")
    identifiers: Annotated[
        dict[
            IdentifierName,
            Annotated[
                list[Text],
                BeforeValidator(_as_list),
                WithJsonSchema(
                    {
                        "anyOf": [
                            {"type": "string", "maxLength": MAX_TEXT},
                            {"type": "array", "items": {"type": "string", "maxLength": MAX_TEXT}},
                            {"type": "null"},
                        ]
                    }
                ),
            ],
        ],
        BeforeValidator(_identifiers),
    ] = Field(default_factory=dict, description="What names the customer: a value or a list for each type.")
    traits: Annotated[dict[Name, Text], BeforeValidator(_traits)] = Field(
        default_factory=dict,
        description="What describes the customer: first_name, last_name, full_name, date_of_birth, gender, "
        "address, city, postcode, country, ...",
    )
    payload: Annotated[
        str | None,
        BeforeValidator(_payload),
        WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]}),
    ] = Field(None, description="Anything else, at most 256 KiB of JSON: amount, currency, items, ...")
    request_id: TraceId | None = Field(None, description="The request that caused the event.")
    correlation_id: TraceId | None = Field(None, description="Ties together what belongs to one interaction.")


def parse_event(value: object, limits: Limits, now: datetime) -> EventIn:
    """The event in a parsed JSON value. Raises InvalidEvent with an error for each wrong field."""
    if isinstance(value, dict) and len(value) > MAX_FIELDS:
        raise InvalidEvent([TOO_MANY_FIELDS])
    try:
        return EventIn.model_validate(value, context=_Context(limits, now))
    except ValidationError as exc:
        raise InvalidEvent(field_errors(exc.errors(include_url=False))) from exc


def event_uuid(source: str, event_id: str) -> UUID:
    """The id under which an event is stored: a UUID as it came, any other id made one, distinct by source.

    UUID version 5 (RFC 9562, section 5.5) of source and id under a fixed namespace.
    """
    if len(event_id) == 36:
        try:
            return UUID(event_id)
        except ValueError:
            pass
    return uuid5(EVENT_NAMESPACE, f"{source}\x1f{event_id}")


def to_raw(
    event: EventIn,
    event_id: UUID | None,
    accepted_at: datetime | None,
    request_id: str | None,
    correlation_id: str | None,
) -> dict[str, object]:
    """The event as a raw_event of schemas/avro. Without an id `event_id` is empty: its position names it."""
    return {
        "event_id": "" if event_id is None else str(event_id),
        "source": event.source,
        "event_type": event.event_type,
        "occurred_at": event.occurred_at,
        "accepted_at": accepted_at,
        "request_id": request_id or event.request_id,
        "correlation_id": event.correlation_id or correlation_id,
        "identifiers": event.identifiers,
        "traits": event.traits,
        "payload": event.payload,
    }
