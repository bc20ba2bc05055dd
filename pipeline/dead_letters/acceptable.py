"""Whether a message would be taken now: the checks of the stage that refused it, without its effects."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.codes import ReasonCode
from pipeline.dead_letters.content import Fields
from pipeline.errors import BadInput, BadMessage
from pipeline.events import Limits, parse_event, to_raw
from pipeline.normalized_event import decode_event
from pipeline.payload import read_payload
from pipeline.raw_event import CUSTOMER, RawEvent, raw_event, read_customer
from pipeline.stream.batch import Message
from schemas.codec import RAW_TOPIC, Codec

NORMALIZED_TOPIC = "events.normalized"
REPLAYABLE = (RAW_TOPIC, NORMALIZED_TOPIC)
"""The topics whose messages a stage takes twice without harm, and whose dead letters hold them."""


def checked_event(codec: Codec, limits: Limits, message: Message, now: datetime) -> RawEvent:
    """The raw event in a message. Raises BadMessage for whatever normalize would refuse it."""
    if message.value is None:
        raise BadMessage(ReasonCode.UNDECODABLE, "a message without a value")
    event = raw_event(message, codec.decode(RAW_TOPIC, message.value, CUSTOMER), limits, now)
    read_customer(codec, limits, event.identifiers, event.traits)
    read_payload(event.payload)
    return event


def mended(codec: Codec, limits: Limits, fields: Fields, message: Message, now: datetime) -> Message:
    """The message (as it first came) with an event of the HTTP shape in it, which may say `accepted_at` as well.

    Raises BadInput naming the wrong field.
    """
    accepted_at = _time(fields.get("accepted_at"))
    event = parse_event({k: v for k, v in fields.items() if k != "accepted_at"}, limits, now)
    try:
        value = codec.encode(RAW_TOPIC, to_raw(event, event.event_id, accepted_at, None, None))
        message = _with(message, value)
        checked_event(codec, limits, message, now)
    except BadMessage as exc:
        name, said, detail = exc.detail.partition(": ")
        raise BadInput(*((name, detail) if said else ("event", name))) from exc
    return message


def replayable(codec: Codec, topic: str, limits: Limits, message: Message, now: datetime) -> bytes:
    """The message's bytes as they are to be published again. Raises BadMessage where they would be refused again.

    They are those that came, with one exception: a raw event that names no id gets the one that its first place in the
    topic gives it, and one that names no time the time at which it first came. So however often it is published, it is
    one event, and it is as old as it is.
    """
    assert message.value is not None
    if topic != RAW_TOPIC:
        decode_event(codec, message)
        return message.value
    event = checked_event(codec, limits, message, now)
    fields = codec.decode(RAW_TOPIC, message.value)
    if fields["event_id"] and fields["occurred_at"]:
        return message.value
    filled = {"event_id": fields["event_id"] or str(event.event_id), "occurred_at": event.occurred_at}
    return codec.encode(RAW_TOPIC, {**fields, **filled})


def _time(text: object) -> datetime | None:
    try:
        at = None if text is None else datetime.fromisoformat(str(text))
    except ValueError:
        raise BadInput("accepted_at", "send a time such as 2026-01-31T12:00:00Z, or unset it") from None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _with(message: Message, value: bytes) -> Message:
    return Message(message.topic, message.partition, message.offset, message.timestamp, message.key, value)
