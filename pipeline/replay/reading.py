"""Stored events as normalized events: made anew of their raw events, or of the records they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage, SealBroken
from pipeline.hashed_record import hashed_fields
from pipeline.identity.ids import Id
from pipeline.identity.model import CanonicalRecord
from pipeline.identity.normalize import serialize
from pipeline.normalized_event import Event, decode_event
from pipeline.normalizer import NORMALIZED, Normalizer, Prepared
from pipeline.privacy.seal import open_sealed
from pipeline.raw_event import RawEvent, raw_context
from pipeline.replay.logic import Begun, Logic
from pipeline.store.consent import said_by
from pipeline.store.database import Transaction
from pipeline.store.identity_store import open_record
from pipeline.stream.batch import Message
from pipeline.stream.deadletter import reason_of

Place = tuple[datetime, Id]
"""Where an event stands in the fixed order: when it was accepted, and its id."""


class Stored(NamedTuple):
    """A live event. From `topic` on of its raw event, None where that is not to be read or is gone; `lost` says why
    nothing can be decided of it: its record cannot be opened, or nothing but its id is left."""

    event_id: Id
    raw_id: Id
    record_id: Id | None
    accepted_at: datetime
    occurred_at: datetime
    source: str
    event_type: str
    channel: str | None
    store: str | None
    order_amount: float | None
    currency: str | None
    items: Sequence[Mapping[str, object]] | None
    reasons: Sequence[str]
    source_record_id: str | None
    request_id: str | None
    correlation_id: str | None
    topic: str | None
    partition: int
    offset: int
    sealed: bytes
    wrapped: bytes | None
    key_version: int
    lost: str | None


class Kept(NamedTuple):
    """An event that could not be normalized anew and keeps its record. `undecided`: nothing is decided of it."""

    event_id: Id
    record_id: Id | None
    reason: ReasonCode
    undecided: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Events to decide, with the serialized record of each by its raw event, and those that could not be made anew."""

    events: tuple[Event, ...]
    plain: Mapping[Id, bytes]
    kept: tuple[Kept, ...]


class Reader:
    """Reads live events by today's logic. Holds plaintext in memory only."""

    def __init__(self, logic: Logic, begun: Begun) -> None:
        self._logic = logic
        self._from = begun.from_time
        self._version = begun.key_version
        self._normalizer = Normalizer(logic.settings, logic.ring, logic.codec, logic.policy)

    def read(self, tx: Transaction, places: Sequence[Place]) -> Page:
        """The events at these places."""
        asked = {"events": [event for _, event in places], "from_time": self._from}
        everything = [Stored(*row) for row in tx.rows("replay_events", asked)]
        kept = [Kept(s.event_id, s.record_id, ReasonCode(s.lost), True) for s in everything if s.lost]
        stored = [s for s in everything if not s.lost]
        good, refused = self._anew([s for s in stored if self._is_due(s)])
        kept += [Kept(s.event_id, s.record_id, reason, False) for s, reason in refused]
        carried = [s for s in stored if not self._is_due(s)] + [s for s, _ in refused]
        messages = [(self._normalizer.normalized(p, b"").value or b"", p.hashed.serialized) for p in good]
        messages += self._carried(tx, carried)
        # what was said stays said, whether today's policy knows the purpose or not, and the raw event opens or not
        said = said_by(tx, [s.event_id for s in stored])
        decoded = (self._event(value) for value, _ in messages)
        events = [e._replace(consent=e.consent | said.get(e.event_id, frozenset())) for e in decoded]
        plain = {e.raw_id: content for e, (_, content) in zip(events, messages, strict=True)}
        order = {s.event_id: n for n, s in enumerate(stored)}
        return Page(tuple(sorted(events, key=lambda e: order[e.event_id])), plain, tuple(kept))

    def _is_due(self, stored: Stored) -> bool:
        return self._from is None or stored.accepted_at >= self._from

    def _event(self, value: bytes) -> Event:
        return decode_event(self._logic.codec, Message(NORMALIZED, 0, 0, datetime.now(UTC), None, value))

    def _anew(self, stored: Iterable[Stored]) -> tuple[list[Prepared], list[tuple[Stored, ReasonCode]]]:
        """Normalized as if they came today; and those that are not, with the reason."""
        refused: list[tuple[Stored, ReasonCode]] = []
        decoded: list[tuple[Message, RawEvent]] = []
        by_message: dict[int, Stored] = {}
        for s in stored:
            try:
                message = self._message(s)
                by_message[id(message)] = s
                decoded.append((message, self._decoded(message, s)))
            except (BadMessage, SealBroken) as exc:
                refused.append((s, reason_of(exc)))
        good, bad = self._normalizer.canonicalised(decoded)
        refused += [(by_message[id(message)], reason_of(exc)) for message, exc in bad]
        return good, refused

    def _message(self, s: Stored) -> Message:
        if s.topic is None:
            raise BadMessage(ReasonCode.RAW_EVENT_MISSING, "the raw event is no longer stored")
        if s.wrapped is None:
            raise BadMessage(ReasonCode.DATA_KEY_MISSING, "the data key of the raw event is gone")
        key = self._logic.ring.unwrap(s.wrapped, s.key_version, s.raw_id)
        value = open_sealed(key, s.sealed, raw_context(s.raw_id))
        return Message(s.topic, s.partition, s.offset, s.accepted_at, None, value)

    def _decoded(self, message: Message, s: Stored) -> RawEvent:
        """What the event is called and when it came is settled, whatever today's logic would make of it."""
        event = self._normalizer.decoded(message, datetime.now(UTC))
        return event._replace(raw_id=s.raw_id, event_id=s.event_id, accepted_at=s.accepted_at)

    def _carried(self, tx: Transaction, stored: Sequence[Stored]) -> list[tuple[bytes, bytes]]:
        """Events with the record they have, as messages of events.normalized, and the serialized records."""
        wanted = list({s.record_id for s in stored if s.record_id is not None})
        records: dict[Id, tuple[dict[str, object], bytes]] = {}
        with_keys = self._logic.ring.hash_keys(self._version)
        for record, *sealed in tx.rows("replay_records", (wanted,)) if wanted else ():
            content = open_record(self._logic.ring, record, *sealed)
            canonical = CanonicalRecord(content.identifiers, content.traits)
            fields = hashed_fields(self._logic.codec, with_keys, canonical)
            carried = {
                "record_id": str(record),
                "hash_key_version": with_keys.version,
                "sealed_record": b"",
                **fields,
            }
            records[record] = carried, serialize(canonical)
        return [
            (self._logic.codec.encode(NORMALIZED, _fields(s, record)), content)
            for s in stored
            for record, content in (records[s.record_id] if s.record_id is not None else (None, b""),)
        ]


def _fields(s: Stored, record: Mapping[str, object] | None) -> dict[str, object]:
    """A live event as the fields of a normalized one."""
    order = None
    if s.order_amount is not None:
        order = {"amount": s.order_amount, "currency": s.currency, "items": s.items or []}
    return {
        "event_id": str(s.event_id),
        "raw_id": str(s.raw_id),
        "source": s.source,
        "event_type": s.event_type,
        "occurred_at": s.occurred_at,
        "accepted_at": s.accepted_at,
        "request_id": s.request_id,
        "correlation_id": s.correlation_id,
        "record": record,
        "issues": [reason for reason in s.reasons if ":" in reason],
        "channel": s.channel,
        "store": s.store,
        "order": order,
        "source_record_id": s.source_record_id,
    }
