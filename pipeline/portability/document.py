"""One document of JSON with everything that is known of a person, in the clear: docs/portability.md describes it.

Written piece by piece: memory holds the records and some hundred events, however many there are.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from psycopg.rows import TupleRow

from pipeline.dead_letters.content import read_content
from pipeline.errors import NotFound, SealBroken
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord, RecordActivity, Trait
from pipeline.identity.policy import Policy
from pipeline.identity.survivorship import choices
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import open_sealed
from pipeline.raw_event import raw_context
from pipeline.store.database import Database, Transaction
from pipeline.store.identity_store import open_record
from schemas.codec import RAW_TOPIC, Codec
from schemas.topics import topics

FORMAT = "retail-brain/person/1"
_TOLD = {
    "events.raw": "the events as they were sent, in the clear",
    "events.normalized": "hashes, and records as ciphertext",
    "events.linked": "which event belongs to which profile, with orders",
    "identity.merges": "which profiles became one, and why",
    "identity.reviews": "what stewards were asked",
    "profiles.updates": "ids, hashes, and which record each value comes from",
    "events.dead-letter": "messages that could not be processed, as ciphertext",
}


_TRAITS = frozenset(t.value for t in Trait)


@dataclass(frozen=True, slots=True)
class Exporting:
    """What an export is made with, by whom and when."""

    database: Database
    ring: KeyRing
    codec: Codec
    policy: Policy
    actor: str
    now: datetime


def person_export(by: Exporting, profile_id: Id) -> Iterator[bytes]:
    """The document of the customer that an id leads to, in pieces; all of it as of one moment.

    Raises NotFound before the first piece; StoreUnavailable, ConfigurationError (the key ring lacks a version).
    """
    with by.database.snapshot() as tx:
        led = tx.row("survivors", ([profile_id],))
        if led is None:
            raise NotFound("no such profile")
        profiles = [p for (p,) in tx.rows("ids_of_person", (led[1],))]
        records = list(tx.rows("person_records", {"profile": led[1]}))
        opened = dict(_open(by.ring, records))
        yield b"{" + _head(by, led[1], profiles)
        yield b',"golden_record":' + orjson.dumps(_golden(opened, by.policy))
        asked = {"profile": led[1], "profiles": profiles, "records": [row[0] for row in records]}
        yield from _list("identity_records", (_record(row, opened) for row in records))
        yield from _list("events", (_event(by, row) for row in tx.stream("person_events", asked, batch=200)))
        for name, query, columns in _SECTIONS:
            yield from _list(name, (_row(columns, row) for row in tx.rows(query, asked)))
        yield b',"recipients":' + orjson.dumps(_recipients(tx)) + b"}\n"


def _head(by: Exporting, profile: Id, profiles: Iterable[Id]) -> bytes:
    head = {
        "format": FORMAT,
        "exported_at": by.now,
        "exported_by": by.actor,
        "profile_id": str(profile),
        "merged_ids": [str(p) for p in profiles if p != profile],
    }
    return orjson.dumps(head)[1:-1]


def _list(name: str, items: Iterable[object]) -> Iterator[bytes]:
    yield b"," + orjson.dumps(name) + b":["
    for n, item in enumerate(items):
        yield (b"," if n else b"") + orjson.dumps(item)
    yield b"]"


_Known = Mapping[Id, tuple[IdentityRecord, RecordActivity]]


def _open(
    ring: KeyRing, rows: Iterable[TupleRow]
) -> Iterator[tuple[Id, tuple[IdentityRecord, RecordActivity]]]:
    for record, first, last, sources, sealed, wrapped, version in rows:
        if wrapped is None:
            continue
        try:
            content = open_record(ring, record, sealed, wrapped, version)
        except SealBroken:
            continue
        yield record, (content, RecordActivity(first, last, tuple(sources)))


def _golden(opened: _Known, policy: Policy) -> dict[str, object]:
    """Each attribute's value, the record that it comes from, and what decided for it."""
    if not opened:
        return {}
    return {
        attribute: {
            "value": _values(opened[choice.record_id][0], attribute),
            "record_id": str(choice.record_id),
            "decided_by": choice.by,
        }
        for attribute, choice in sorted(choices(list(opened.values()), policy).items())
    }


def _values(record: IdentityRecord, attribute: str) -> object:
    if attribute in _TRAITS:
        return record.traits[Trait(attribute)]
    return [i.value for i in record.identifiers if i.type.value == attribute]


def _record(row: TupleRow, opened: _Known) -> dict[str, object]:
    record, first, last, sources, *_ = row
    found: dict[str, object] = {
        "record_id": str(record),
        "first_seen": first,
        "last_seen": last,
        "sources": sources,
    }
    known = opened.get(record)
    if known is None:
        return found | {"unreadable": "its data key was destroyed"}
    identifiers: dict[str, list[str]] = {}
    for identifier in known[0].identifiers:
        identifiers.setdefault(identifier.type.value, []).append(identifier.value)
    return found | {
        "identifiers": identifiers,
        "traits": {t.value: value for t, value in known[0].traits.items()},
    }


def _event(by: Exporting, row: TupleRow) -> dict[str, object]:
    (
        event,
        record,
        occurred,
        accepted,
        source,
        kind,
        channel,
        store,
        amount,
        currency,
        items,
        decision,
        reasons,
    ) = row[:13]
    topic, partition, offset, raw, sealed, wrapped, version = row[13:]
    return {
        "event_id": str(event),
        "record_id": str(record),
        "occurred_at": occurred,
        "accepted_at": accepted,
        "source": source,
        "event_type": kind,
        "channel": channel,
        "store": store,
        "order": None
        if amount is None and not items
        else {"amount": amount, "currency": currency, "items": items},
        "decision": decision,
        "reasons": reasons,
        "came_from": None if topic is None else {"topic": topic, "partition": partition, "offset": offset},
        "as_sent": _as_sent(by, raw, sealed, wrapped, version),
    }


def _as_sent(
    by: Exporting, raw: Id, sealed: bytes | None, wrapped: bytes | None, version: int | None
) -> object:
    """What the source sent, as JSON; bytes that are none in base64."""
    if sealed is None or wrapped is None or version is None:
        return {"unreadable": "its retention ended, or its data key was destroyed"}
    try:
        value = open_sealed(by.ring.unwrap(wrapped, version, raw), sealed, raw_context(raw))
    except SealBroken:
        return {"unreadable": "it does not open"}
    fields = read_content(by.codec, RAW_TOPIC, value).fields
    return {"base64": base64.b64encode(value).decode()} if fields is None else fields


_SECTIONS = (
    ("consent", "person_consent", ("purpose", "state", "at", "source", "event_id", "record_id")),
    (
        "decisions",
        "person_decisions",
        (
            "merge_log_id",
            "kind",
            "source_profile",
            "target_profile",
            "records_moved",
            "confidence_score",
            "actor",
            "reason",
            "decided_at",
            "rolled_back",
        ),
    ),
    (
        "reviews",
        "person_reviews",
        ("review_id", "kind", "status", "reason", "confidence_score", "created_at", "updated_at"),
    ),
    (
        "constraints",
        "person_constraints",
        ("constraint_id", "kind", "actor", "reason", "created_at", "revoked_at"),
    ),
)


def _row(columns: Iterable[str], row: TupleRow) -> dict[str, object]:
    return {
        name: str(value) if isinstance(value, Id) else value for name, value in zip(columns, row, strict=True)
    }


def _recipients(tx: Transaction) -> dict[str, object]:
    """To whom it went: the topics, with what each tells, and the webhooks that there are."""
    names = ("url", "types", "description", "created_at", "enabled")
    return {
        "topics": [
            {
                "topic": topic.name,
                "told": _TOLD[topic.name],
                "kept_hours": topic.retention_hours,
                "owner": topic.owner,
            }
            for topic in topics().values()
        ],
        "webhooks": [_row(names, row) for row in tx.rows("person_webhooks")],
    }
