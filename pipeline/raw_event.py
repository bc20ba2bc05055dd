"""A raw event as teams may produce it to Kafka: the bounds the gateway keeps are kept here as well."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast
from zlib import crc32

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.event_fields import MAX_CONSENT
from pipeline.events import MAX_FUTURE, MAX_TEXT, MAX_TRAITS, Limits, event_uuid
from pipeline.identity.consent import ConsentState, Statement
from pipeline.identity.ids import Id
from pipeline.stream.batch import Message
from schemas.codec import RAW_TOPIC, Codec
from schemas.compiled import Encoded

CUSTOMER = ("identifiers", "traits")
Customer = tuple[Mapping[str, Sequence[str]], Mapping[str, str]]

EARLIEST_ACCEPTED = datetime(2000, 1, 1, tzinfo=UTC)
_EARLIEST_OCCURRED = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LOW_62 = (1 << 62) - 1
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACE_ID = re.compile(r"[A-Za-z0-9._:/=-]{1,128}")
_EVENT_ID = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,128}")


class RawEvent(NamedTuple):
    """A decoded raw event within all bounds.

    `identifiers` and `traits` are opened by `read_customer`; `payload` is JSON text that nobody has parsed yet.
    """

    raw_id: Id
    event_id: Id
    source: str
    event_type: str
    occurred_at: datetime
    accepted_at: datetime
    request_id: str | None
    correlation_id: str | None
    identifiers: Encoded
    traits: Encoded
    payload: str | None
    consent: tuple[Statement, ...] = ()

    def __repr__(self) -> str:
        """Without what may be personal."""
        return f"RawEvent(raw_id={self.raw_id!r})"


def raw_id(message: Message) -> Id:
    """The same for every delivery of a message; the timestamp tells it from one of a topic that was made anew.

    A UUID of version 8 (RFC 9562): 48 bits of milliseconds, then the partition (16), the offset (44) and a checksum of
    the topic (14). Time comes first so that rows that are written together lie together in every index.
    """
    at = (message.timestamp - _EARLIEST_OCCURRED) // _MILLISECOND & 0xFFFF_FFFF_FFFF
    place = (message.partition & 0xFFFF) << 58 | (message.offset & 0xFFF_FFFF_FFFF) << 14
    place |= crc32(message.topic.encode()) & 0x3FFF
    return Id((at << 80 | 0x8 << 76 | place >> 62 << 64 | 0x2 << 62 | place & _LOW_62).to_bytes(16))


def came_at(own_id: Id) -> datetime:
    """When the message of a `raw_id` came, to the millisecond."""
    return _EARLIEST_OCCURRED + int.from_bytes(own_id[:6], "big") * _MILLISECOND


def raw_context(own_id: Id) -> bytes:
    """What the ciphertext of a stored raw event is bound to."""
    return b"customer_raw_event:sealed:" + own_id


def raw_event(message: Message, fields: Mapping[str, object], limits: Limits, now: datetime) -> RawEvent:
    """The event in the decoded fields of a message. Raises BadMessage naming the field that is out of bounds.

    Those of CUSTOMER were kept as they are.
    An event that names no id gets one of its place in the topic; without a time of its own it happened when it was
    accepted; accepted it was, unless it says when, at the message's timestamp.
    """
    source = _matching(fields, "source", _NAME)
    accepted_at = cast(datetime | None, fields["accepted_at"]) or message.timestamp
    occurred_at = cast(datetime | None, fields["occurred_at"]) or accepted_at
    in_time("accepted_at", accepted_at, EARLIEST_ACCEPTED, now)
    in_time("occurred_at", occurred_at, _EARLIEST_OCCURRED, now)
    own_id = raw_id(message)
    return RawEvent(
        own_id,
        event_uuid(source, _matching(fields, "event_id", _EVENT_ID)) if fields["event_id"] else own_id,
        source,
        _matching(fields, "event_type", _NAME),
        occurred_at,
        accepted_at,
        _matching(fields, "request_id", _TRACE_ID) if fields["request_id"] else None,
        _matching(fields, "correlation_id", _TRACE_ID) if fields["correlation_id"] else None,
        cast(Encoded, fields["identifiers"]),
        cast(Encoded, fields["traits"]),
        _payload(fields, limits),
        _consent(fields, source, occurred_at, now) if fields["consent"] else (),
    )


def _matching(fields: Mapping[str, object], name: str, form: re.Pattern[str]) -> str:
    value = cast(str, fields[name])
    if form.fullmatch(value):
        return value
    if not value:
        raise BadMessage(ReasonCode.MISSING_FIELD, f"{name}: it is required")
    raise BadMessage(ReasonCode.SCHEMA_VIOLATION, f"{name}: send text matching {form.pattern}")


def in_time(name: str, at: datetime, earliest: datetime, now: datetime) -> None:
    """Rows are kept by months, so no moment may be far from the others. Raises BadMessage."""
    if not earliest <= at <= now + MAX_FUTURE:
        raise BadMessage(
            ReasonCode.SCHEMA_VIOLATION,
            f"{name}: neither before {earliest.year} nor more than a day ahead; check the sender's clock",
        )


def read_customer(codec: Codec, limits: Limits, identifiers: Encoded, traits: Encoded) -> Customer:
    """What an event says of a customer. Raises BadMessage naming what is out of bounds."""
    named = cast(Mapping[str, Sequence[str]], codec.decode_field(RAW_TOPIC, "identifiers", identifiers))
    described = cast(Mapping[str, str], codec.decode_field(RAW_TOPIC, "traits", traits))
    return _identifiers(named, limits), _traits(described)


def _identifiers(identifiers: Mapping[str, Sequence[str]], limits: Limits) -> Mapping[str, Sequence[str]]:
    count = sum(map(len, identifiers.values()))
    if count > limits.max_identifiers or len(identifiers) > limits.max_identifiers:
        raise BadMessage(
            ReasonCode.TOO_MANY_IDENTIFIERS,
            f"identifiers: {count}; send at most {limits.max_identifiers} in one event",
        )
    if any(len(value) > MAX_TEXT for values in identifiers.values() for value in values):
        raise BadMessage(ReasonCode.TOO_LONG, f"identifiers: send at most {MAX_TEXT} characters a value")
    return identifiers


def _traits(traits: Mapping[str, str]) -> Mapping[str, str]:
    if len(traits) > MAX_TRAITS:
        raise BadMessage(ReasonCode.SCHEMA_VIOLATION, f"traits: {len(traits)}; send at most {MAX_TRAITS}")
    if any(len(value) > MAX_TEXT for value in traits.values()):
        raise BadMessage(ReasonCode.TOO_LONG, f"traits: send at most {MAX_TEXT} characters a value")
    return traits


def _consent(
    fields: Mapping[str, object], source: str, occurred_at: datetime, now: datetime
) -> tuple[Statement, ...]:
    """What was said of each purpose, known or not."""
    given = cast(Sequence[Mapping[str, object]], fields["consent"])
    if len(given) > MAX_CONSENT:
        raise BadMessage(ReasonCode.SCHEMA_VIOLATION, f"consent: {len(given)}; send at most {MAX_CONSENT}")
    return tuple(_statement(said, source, occurred_at, now) for said in given)


def _statement(said: Mapping[str, object], source: str, occurred_at: datetime, now: datetime) -> Statement:
    at = cast(datetime | None, said["at"]) or occurred_at
    in_time("consent.at", at, _EARLIEST_OCCURRED, now)
    purpose, state = cast(str, said["purpose"]), cast(str, said["state"])
    if state not in (*ConsentState,):
        raise BadMessage(ReasonCode.SCHEMA_VIOLATION, "consent.state: send granted or withdrawn")
    if not _NAME.fullmatch(purpose):
        raise BadMessage(ReasonCode.SCHEMA_VIOLATION, f"consent.purpose: send text matching {_NAME.pattern}")
    return Statement(purpose, ConsentState(state), at, source)


def _payload(fields: Mapping[str, object], limits: Limits) -> str | None:
    payload = cast(str | None, fields["payload"])
    if payload is not None:
        most = limits.max_payload_bytes
        # UTF-8 takes at least one byte a character, so that most payloads need no encoding to be measured
        if len(payload) > most or (4 * len(payload) > most and len(payload.encode()) > most):
            raise BadMessage(ReasonCode.PAYLOAD_TOO_LARGE, f"payload: send at most {most} bytes of JSON")
    return payload
