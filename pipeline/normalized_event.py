"""Normalized events as the resolve stage reads them, and what a batch of them says of each record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, cast

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.identity.blocking import match_keys
from pipeline.identity.consent import ConsentState, Statement
from pipeline.identity.hashing import value_hash
from pipeline.identity.ids import Id
from pipeline.identity.model import CanonicalRecord, RecordActivity
from pipeline.match_keys import unpack_match_keys
from pipeline.matching import Arrival
from pipeline.privacy.keyring import HashKeys
from pipeline.raw_event import EARLIEST_ACCEPTED, in_time
from pipeline.store.identity_writer import HashedContent
from pipeline.stream.batch import Message
from schemas.codec import Codec
from schemas.compiled import Encoded

_TOPIC, _IDENTIFIERS = "events.normalized", "record.identifiers"
_KEPT = (_IDENTIFIERS,)  # most records are known, and nobody asks for their identifiers


_NOTHING_SAID: frozenset[Statement] = frozenset()


class Event(NamedTuple):
    """A decoded normalized event. A tuple, since one is made an event and a dataclass takes three times as long."""

    event_id: Id
    raw_id: Id
    record_id: Id | None
    source: str
    occurred_at: datetime
    accepted_at: datetime
    products: frozenset[int]
    fields: Mapping[str, object]
    consent: frozenset[Statement] = _NOTHING_SAID


def decode_event(codec: Codec, message: Message) -> Event:
    """The event in a message of events.normalized, its identifiers unopened. Raises BadMessage."""
    assert message.value is not None
    fields = codec.decode(_TOPIC, message.value, _KEPT)
    accepted_at = cast(datetime, fields["accepted_at"])
    in_time("accepted_at", accepted_at, EARLIEST_ACCEPTED, message.timestamp)
    record = cast(Mapping[str, object] | None, fields["record"])
    order = cast(Mapping[str, object] | None, fields["order"])
    items = cast(Sequence[Mapping[str, object]], order["items"]) if order else ()
    source = cast(str, fields["source"])
    said = cast(Sequence[Mapping[str, object]], fields["consent"])
    try:
        return Event(
            event_id=Id.parse(cast(str, fields["event_id"])),
            raw_id=Id.parse(cast(str, fields["raw_id"])),
            record_id=Id.parse(cast(str, record["record_id"])) if record else None,
            source=source,
            occurred_at=cast(datetime, fields["occurred_at"]),
            accepted_at=accepted_at,
            products=frozenset(product_number(cast(str, item["sku"])) for item in items),
            fields=fields,
            consent=frozenset(_statement(one, source) for one in said) if said else _NOTHING_SAID,
        )
    except ValueError as exc:
        raise BadMessage(
            ReasonCode.SCHEMA_VIOLATION,
            "event_id, raw_id and record_id must be UUIDs, consent granted or withdrawn",
        ) from exc


def _statement(said: Mapping[str, object], source: str) -> Statement:
    state = ConsentState(cast(str, said["state"]))
    return Statement(cast(str, said["purpose"]), state, cast(datetime, said["at"]), source)


@lru_cache(maxsize=65_536)
def product_number(sku: str) -> int:
    """A product as a signed 64-bit number; products are no personal data, so no key is needed."""
    return int.from_bytes(hashlib.blake2b(sku.encode(), digest_size=8).digest(), "big", signed=True)


def hashed_content(codec: Codec, event: Event) -> HashedContent:
    """The hashed side of the record that an event carries. Raises BadMessage."""
    record = cast(Mapping[str, object], event.fields["record"])
    identifiers = cast(
        Sequence[Mapping[str, object]],
        codec.decode_field(_TOPIC, _IDENTIFIERS, cast(Encoded, record["identifiers"])),
    )
    try:
        keys = unpack_match_keys(cast(bytes, record["match_keys"]))
    except ValueError as exc:
        raise BadMessage(ReasonCode.UNDECODABLE, f"record.match_keys: {exc}") from exc
    hashes = tuple((cast(str, i["type"]), cast(bytes, i["value_hash"])) for i in identifiers)
    return HashedContent(cast(int, record["hash_key_version"]), hashes, keys)


def content_under(keys: HashKeys, record: CanonicalRecord) -> HashedContent:
    """The hashed side of a record under other keys than an event brought it by."""
    hashes = tuple((i.type.value, value_hash(keys.value, i)) for i in record.identifiers)
    return HashedContent(keys.version, hashes, match_keys(record, keys.match))


def arrival_of(events: Sequence[Event]) -> Arrival:
    """What the events of one record say of it together."""
    activity = RecordActivity(
        first_seen=min(e.occurred_at for e in events),
        last_seen=max(e.occurred_at for e in events),
        sources=tuple(sorted({e.source for e in events})),
    )
    return Arrival(
        activity,
        frozenset().union(*(e.products for e in events)),
        consent=frozenset().union(*(e.consent for e in events)),
    )
