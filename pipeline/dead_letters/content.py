"""What a dead letter's message says, as far as it can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import orjson

from pipeline.errors import BadMessage, RegistryUnavailable
from schemas.codec import RAW_TOPIC, Codec

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class Content:
    """A message: its fields, or the problem that keeps them from being read.

    Of a raw event the fields are of the HTTP shape, whatever they hold; of one in Avro also `accepted_at`.
    """

    form: str  # json, avro or unknown
    size: int
    fields: Fields | None = field(default=None, repr=False)
    problem: str | None = None


def read_content(codec: Codec, topic: str, value: bytes) -> Content:
    """Read a message of a topic of schemas/topics.yaml. A field out of bounds is no problem: it is to be mended."""
    if topic == RAW_TOPIC and value[:1] == b"{":
        return _json(value)
    form = "avro" if value[:1] == b"\0" else "unknown"
    try:
        fields = codec.decode(topic, value)
    except (BadMessage, RegistryUnavailable) as exc:
        return Content(form, len(value), problem=exc.detail if isinstance(exc, BadMessage) else str(exc))
    except KeyError:  # a topic that is not, or no longer, declared
        return Content(form, len(value), problem="no schema is declared for this topic")
    return Content(form, len(value), fields if topic != RAW_TOPIC else _http_shape(fields))


def _json(value: bytes) -> Content:
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as exc:
        return Content("json", len(value), problem=f"broken JSON at character {exc.pos}")
    return Content("json", len(value), cast(Fields, fields))


def _http_shape(fields: Mapping[str, object]) -> Fields:
    """A decoded raw_event.avsc as the HTTP route takes it; what is absent is left out."""
    shape: Fields = {name: value for name, value in fields.items() if value not in (None, "", {}, [])}
    for name in ("occurred_at", "accepted_at"):
        if name in shape:
            shape[name] = _text(shape[name])
    if said := cast(Sequence[Mapping[str, object]], shape.get("consent", ())):
        shape["consent"] = [{name: _text(value) for name, value in one.items() if value} for one in said]
    if isinstance(payload := shape.get("payload"), str):
        with suppress(orjson.JSONDecodeError):  # then it is shown, and refused, as the text it is
            shape["payload"] = orjson.loads(payload)
    return shape


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
