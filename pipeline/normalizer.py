"""From a raw event to the normalized one: decode and check, canonicalise and hash, say what was found. Needs no server.

Both the normalize stage and a replay (pipeline/replay) go through here, so that they make the same of an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.events import Limits
from pipeline.hashed_record import HashedRecord, RecordHasher
from pipeline.identity.model import Issue
from pipeline.identity.policy import Policy
from pipeline.payload import Facts, Order, read_payload
from pipeline.privacy.keyring import KeyRing
from pipeline.raw_event import CUSTOMER, RawEvent, raw_event
from pipeline.settings import Settings
from pipeline.stream.batch import Message
from pipeline.stream.publish import Outgoing
from schemas.codec import Codec

RAW = "events.raw"
NORMALIZED = "events.normalized"

Refused = list[tuple[Message, Exception]]


class Prepared(NamedTuple):
    """An event on its way through a batch."""

    message: Message
    event: RawEvent
    facts: Facts
    hashed: HashedRecord
    hash_key_version: int


class Normalizer:
    """What is made of raw events by the policy and the settings of now. Keeps plaintext in memory only."""

    def __init__(self, settings: Settings, ring: KeyRing, codec: Codec, policy: Policy) -> None:
        self._ring = ring
        self._codec = codec
        self._limits = Limits.of(settings)
        self._settings = settings
        self._policy = policy
        self._purposes = policy.purposes
        self._hasher = self._hashing()

    def _hashing(self) -> RecordHasher:
        """A hasher by the current version. It remembers nothing: what was hashed under another is no use."""
        return RecordHasher(
            self._policy,
            self._ring.current,
            self._ring.naming,
            self._settings.default_region,
            self._settings.record_cache_size,
            self._codec,
            self._limits,
        )

    def decoded(self, message: Message, now: datetime) -> RawEvent:
        """The event in a message of events.raw. Raises BadMessage."""
        if message.value is None:
            raise BadMessage(ReasonCode.UNDECODABLE, "a message without a value")
        return raw_event(message, self._codec.decode(RAW, message.value, CUSTOMER), self._limits, now)

    def prepared(self, messages: Sequence[Message], now: datetime) -> tuple[list[Prepared], Refused]:
        """What can be done without servers; a bad message harms only itself."""
        refused: Refused = []
        events: list[tuple[Message, RawEvent]] = []
        for message in messages:
            try:
                events.append((message, self.decoded(message, now)))
            except BadMessage as exc:
                refused.append((message, exc))
        good, more = self.canonicalised(events)
        return good, refused + more

    def canonicalised(self, events: Sequence[tuple[Message, RawEvent]]) -> tuple[list[Prepared], Refused]:
        """Decoded events, canonicalised and hashed.

        Each step is taken for the whole batch: its code and data then stay in the processor's caches, which takes a
        sixth less time than event by event.
        """
        if self._hasher.keys.version != self._ring.current.version:
            self._hasher = self._hashing()
        refused: Refused = []
        named: list[tuple[Message, RawEvent, HashedRecord]] = []
        for message, event in events:
            try:
                day = event.accepted_at.date()
                hashed = self._hasher.hashed(event.identifiers, event.traits, day, event.event_id)
            except BadMessage as exc:
                refused.append((message, exc))
            else:
                named.append((message, event, hashed))
        good: list[Prepared] = []
        for message, event, hashed in named:
            try:
                facts = read_payload(event.payload)
                good.append(Prepared(message, event, facts, hashed, self._hasher.keys.version))
            except BadMessage as exc:
                refused.append((message, exc))
        return good, refused

    def normalized(self, prepared: Prepared, sealed_record: bytes) -> Outgoing:
        """The message of events.normalized; `sealed_record` holds `prepared.hashed.serialized`."""
        event, facts, hashed = prepared.event, prepared.facts, prepared.hashed
        record: dict[str, object] | None = None
        if hashed.record_id is not None:
            record = {
                "record_id": hashed.record_id,
                "hash_key_version": prepared.hash_key_version,
                "identifiers": hashed.identifiers,
                "match_keys": hashed.match_keys,
                "sealed_record": sealed_record,
            }
        issues = _notes(hashed.issues, facts.issues)
        consent = [s for s in event.consent if s.purpose in self._purposes] if event.consent else ()
        if len(consent) < len(
            event.consent
        ):  # a purpose that nobody declared may be any text: it is not named
            issues = [*issues, f"consent.purpose:{ReasonCode.UNKNOWN_PURPOSE}"]
        value = self._codec.encode(
            NORMALIZED,
            {
                "event_id": str(event.event_id),
                "raw_id": str(event.raw_id),
                "source": event.source,
                "event_type": event.event_type,
                "occurred_at": event.occurred_at,
                "accepted_at": event.accepted_at,
                "request_id": event.request_id,
                "correlation_id": event.correlation_id,
                "record": record,
                "issues": issues,
                "channel": facts.channel or event.source,
                "store": facts.store,
                "order": _order(facts.order),
                "source_record_id": facts.record_id,
                "consent": [{"purpose": s.purpose, "state": s.state, "at": s.at} for s in consent],
            },
        )
        return Outgoing(NORMALIZED, hashed.key or event.event_id, value)


def _notes(found: Sequence[str], of_payload: Sequence[Issue]) -> Sequence[str]:
    return [*found, *(f"{i.field}:{i.reason}" for i in of_payload)] if of_payload else found


def _order(order: Order | None) -> dict[str, object] | None:
    if order is None:
        return None
    items = [i._asdict() for i in order.items]
    return {"amount": order.amount, "currency": order.currency, "items": items}
