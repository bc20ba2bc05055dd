"""The fields of an event: their bounds, and what is said where one is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple, cast, get_args

import orjson
from pydantic import Field, ValidationInfo
from pydantic_core import PydanticCustomError

from pipeline.settings import Settings

MAX_TEXT = 1_024
MAX_TRAITS = 100
MAX_DEPTH = 32
MAX_CONSENT = 50
MAX_FUTURE = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

IdentifierName = Literal[
    "phone", "email", "loyalty_id", "crm_id", "whatsapp", "marketplace_id", "device_id", "cookie_id"
]
_NAME = r"^[A-Za-z0-9._-]{1,64}$"
Name = Annotated[str, Field(pattern=_NAME)]
TraceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/=-]{1,128}$")]
SourceId = Annotated[str, Field(pattern=r"^[^\s\p{C}]{1,128}$")]
Text = Annotated[str, Field(max_length=MAX_TEXT)]

_TEXT = {"type": "string", "maxLength": MAX_TEXT}
_NULL = {"type": "null"}
IDENTIFIERS = {
    "anyOf": [
        {
            "type": "object",
            "propertyNames": {"enum": [*get_args(IdentifierName)]},
            "additionalProperties": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}, _NULL]},
        },
        _NULL,
    ]
}
"""The JSON Schema of identifiers: null is not given, the whole of them or one."""
TRAITS = {
    "anyOf": [
        {
            "type": "object",
            "propertyNames": {"pattern": _NAME},
            "maxProperties": MAX_TRAITS,
            "additionalProperties": {"anyOf": [_TEXT, _NULL]},
        },
        _NULL,
    ]
}


CONSENT = {
    "anyOf": [
        {
            "type": "array",
            "maxItems": MAX_CONSENT,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["purpose", "state"],
                "properties": {
                    "purpose": {"type": "string", "pattern": _NAME},
                    "state": {"enum": ["granted", "withdrawn"]},
                    "at": {"anyOf": [{"type": "string", "format": "date-time"}, _NULL]},
                },
            },
        },
        _NULL,
    ]
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that are settings. `max_payload_bytes` counts the payload as compact JSON in UTF-8."""

    max_identifiers: int = 100
    max_payload_bytes: int = 262_144

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits the settings hold."""
        return cls(settings.max_identifiers, settings.max_payload_bytes)


class Context(NamedTuple):
    limits: Limits
    now: datetime


def _context(info: ValidationInfo) -> Context:
    if not isinstance(info.context, Context):
        raise TypeError("events are validated by parse_event, which knows the limits and the time")
    return info.context


def _given(value: object) -> object:
    """null means not given, for a value of a mapping as for a whole field."""
    if value is None:
        return {}
    if isinstance(value, dict) and None in value.values():
        return {name: item for name, item in value.items() if item is not None}
    return value


def identifiers(value: object, info: ValidationInfo) -> object:
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


def traits(value: object) -> object:
    if isinstance(value, dict) and len(value) > MAX_TRAITS:
        raise PydanticCustomError(
            "too_many_traits",
            "{count} traits",
            {"count": len(value), "mend": f"send at most {MAX_TRAITS} traits; other facts go into payload"},
        )
    return _given(value)


def consent(value: object) -> object:
    return [] if value is None else value


def as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def occurred_at(value: object, info: ValidationInfo) -> datetime | None:
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


def _nested_too_deeply() -> PydanticCustomError:
    mend = f"nest objects and lists at most {MAX_DEPTH} deep"
    return PydanticCustomError("payload_too_deep", "nested too deeply", {"mend": mend})


def payload(value: object, info: ValidationInfo) -> str | None:
    """The payload as compact JSON text: serialised once, measured, and passed on as it is."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise PydanticCustomError(
            "dict_type", "an object is needed", {"mend": 'send a JSON object, such as {"order_id": "17"}'}
        )
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:
        if _too_deep(value):
            raise _nested_too_deeply() from None
        raise PydanticCustomError(
            "payload_not_json", "no JSON", {"mend": "send numbers of at most 64 bits and text in UTF-8"}
        ) from None
    # no deeper than there are brackets: most payloads need no walk to be measured
    if text.count(b"{") + text.count(b"[") > MAX_DEPTH and _too_deep(value):
        raise _nested_too_deeply()
    most = _context(info).limits.max_payload_bytes
    if len(text) > most:
        raise PydanticCustomError(
            "payload_too_large",
            "{size} bytes of JSON",
            {"size": len(text), "mend": f"send at most {most} bytes; of a large object send a link"},
        )
    return text.decode()
