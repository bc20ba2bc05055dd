"""Resolve: normalized events in; profiles, decisions and messages out, a batch in one ACID transaction.

The order of the steps: claim the position and the event ids, tell known records from new ones, find and lock the
neighbourhood, settle it, write, announce. Everything that decides is pure and lives in pipeline/identity.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import NamedTuple, cast
from uuid import UUID

import orjson

from pipeline import metrics
from pipeline.announce import Announcer, versions_of
from pipeline.codes import ReasonCode
from pipeline.configuration import load_model, load_policy
from pipeline.errors import BadMessage
from pipeline.identity.model import (
    Created,
    IdentityRecord,
    Linked,
    Merged,
    RecordActivity,
    Review,
    Split,
)
from pipeline.identity.normalize import deserialize
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.settle import Settlement, settle
from pipeline.ids import new_id
from pipeline.log import configure, get_logger
from pipeline.match_keys import unpack_match_keys
from pipeline.matching import Arrival, Found, gather
from pipeline.ports import Known
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.privacy.seal import open_sealed
from pipeline.settings import Settings
from pipeline.store.database import Database, Transaction
from pipeline.store.identity_store import PostgresIdentityStore, RecordCache
from pipeline.store.identity_writer import Author, HashedContent, IdentityWriter
from pipeline.store.months import Months
from pipeline.stream.batch import Advance, Batch, Message
from pipeline.stream.deadletter import DeadLetters
from pipeline.stream.loop import run
from pipeline.stream.positions import advance
from pipeline.stream.process import calm_gc, stop_on_signals
from schemas.codec import ORDER, Codec, as_branch, load_codec

STAGE = "resolve"


class Event(NamedTuple):
    """A decoded normalized event. A tuple, since one is made an event and a dataclass takes three times as long."""

    event_id: UUID
    raw_id: UUID
    record_id: UUID | None
    source: str
    occurred_at: datetime
    accepted_at: datetime
    products: frozenset[int]
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a record's events: the decision and the reasons."""

    decision: str
    reasons: tuple[ReasonCode, ...]


class ResolveStage:
    """The handler of the resolve loop. One thread, one database connection."""

    stage = STAGE

    def __init__(
        self,
        settings: Settings,
        database: Database,
        ring: KeyRing,
        codec: Codec,
        model: Model,
        policy: Policy,
    ) -> None:
        self.topic = "events.normalized"
        self._database = database
        self._ring = ring
        self._codec = codec
        self._model = model
        self._policy = policy
        self._cache = RecordCache(ring, settings.record_cache_size)
        self._months = Months("event")
        self._dead_letters = DeadLetters(STAGE, settings, codec, ring)
        self._new_id: Callable[[], UUID] = new_id

    def handle(self, batch: Batch) -> None:
        """Resolve a batch in one transaction. Raises RetryLater, BadMessage, or whatever a poison event causes."""
        events = [self._decode(m) for m in batch.messages if m.value is not None]
        self._months.ensure(self._database, (e.accepted_at for e in events))
        with self._database.transaction() as tx:
            advance(tx, STAGE, batch.positions)
            count = self._resolve(tx, events)
        count()  # only what is committed counts

    def bury(self, message: Message, at: Advance, error: Exception) -> None:
        """Send one message that cannot be processed to the dead letters, and go on behind it."""
        with self._database.transaction() as tx:
            advance(tx, STAGE, (at,))
            self._dead_letters.write(tx, [(message, error)])

    def _decode(self, message: Message) -> Event:
        assert message.value is not None
        fields = self._codec.decode("events.normalized", message.value)
        record = cast(Mapping[str, object] | None, fields["record"])
        order = cast(Mapping[str, object] | None, fields["order"])
        items = cast(Sequence[Mapping[str, object]], order["items"]) if order else ()
        try:
            return Event(
                event_id=UUID(cast(str, fields["event_id"])),
                raw_id=UUID(cast(str, fields["raw_id"])),
                record_id=UUID(cast(str, record["record_id"])) if record else None,
                source=cast(str, fields["source"]),
                occurred_at=cast(datetime, fields["occurred_at"]),
                accepted_at=cast(datetime, fields["accepted_at"]),
                products=frozenset(product_number(cast(str, item["sku"])) for item in items),
                fields=fields,
            )
        except ValueError as exc:
            raise BadMessage(
                ReasonCode.SCHEMA_VIOLATION, "event_id, raw_id and record_id must be UUIDs"
            ) from exc

    def _resolve(self, tx: Transaction, events: Sequence[Event]) -> Callable[[], None]:
        """All effects of a batch; returns what counts them."""
        fresh = self._claim(tx, events)
        if not fresh:
            return lambda: None
        now = datetime.now(UTC)
        author = Author(STAGE, "automatic", self._model.version, self._policy.version, now, self._new_id)
        store = PostgresIdentityStore(tx, self._cache)
        by_record: defaultdict[UUID, list[Event]] = defaultdict(list)
        for event in fresh:
            if event.record_id is not None:
                by_record[event.record_id].append(event)
        arrivals = {r: _fold(es) for r, es in by_record.items()}
        seen, hashed = self._split(store, arrivals, by_record)
        known = {r: arrivals[r] for r in seen}
        new = self._open(tx, {r: arrivals[r] for r in hashed}, hashed, by_record)
        found = gather(new, known, seen, store, self._model, self._policy)
        settlement = settle(found.neighbourhood, self._model, self._policy, self._new_id, now)
        writer = IdentityWriter(tx, self._ring, author)
        logged = writer.merge_log(settlement.decisions, found.neighbourhood, settlement)
        writer.profiles(settlement)
        writer.new_records(hashed, found.neighbourhood, settlement)
        writer.moves(settlement, new)
        writer.activity(known, {r: a.products for r, a in arrivals.items() if a.products})
        writer.evidence(found.edges)
        reviews = writer.reviews(settlement)
        homes = {r: settlement.moves.get(r) or found.known[r].profile_id for r in arrivals}
        versions = versions_of(
            tx, [*homes.values(), *settlement.profiles, *(p for c in reviews for p in (c.low, c.high))]
        )
        announcer = Announcer(tx, self._codec, author)
        announcer.profiles(settlement.profiles)
        announcer.merges(logged, versions)
        announcer.reviews(reviews, versions)
        outcomes = _outcomes(arrivals, new, found, settlement)
        self._write_events(tx, announcer, fresh, homes, versions, outcomes)
        return partial(_count, fresh, found, settlement, outcomes, len(reviews))

    def _claim(self, tx: Transaction, events: Iterable[Event]) -> list[Event]:
        """Those of the events that were never linked before, each once."""
        first: dict[UUID, Event] = {}
        for event in events:
            first.setdefault(event.event_id, event)
        ordered = [first[i] for i in sorted(first)]
        if not ordered:
            return []
        claimed = tx.rows(
            "index_events",
            ([e.event_id for e in ordered], [e.record_id for e in ordered], [e.accepted_at for e in ordered]),
        )
        ids = {row[0] for row in claimed}
        return [e for e in first.values() if e.event_id in ids]

    @staticmethod
    def _split(
        store: PostgresIdentityStore,
        arrivals: Mapping[UUID, Arrival],
        by_record: Mapping[UUID, Sequence[Event]],
    ) -> tuple[dict[UUID, Known], dict[UUID, HashedContent]]:
        """Known records, and the hashed content of new ones, whose keys are locked.

        What is not known is looked up again behind the locks: another worker may have been first.
        """
        known = store.known({r: a.activity.last_seen for r, a in arrivals.items()})
        hashed = {r: hashed_content(by_record[r][0]) for r in arrivals if r not in known}
        # the record's own number is locked too, so that a record without keys is stored once
        store.lock_keys(
            {k.key for content in hashed.values() for k in content.keys} | {r.int for r in hashed}
        )
        known |= store.known({r: arrivals[r].activity.last_seen for r in hashed})
        return known, {r: content for r, content in hashed.items() if r not in known}

    def _open(
        self,
        tx: Transaction,
        new: Mapping[UUID, Arrival],
        hashed: Mapping[UUID, HashedContent],
        by_record: Mapping[UUID, Sequence[Event]],
    ) -> dict[UUID, Arrival]:
        """Open the new records with the data keys of the raw events that brought them."""
        if not new:
            return {}
        brought = {by_record[r][0].raw_id: r for r in new}
        keys = {
            owner: (wrapped, version) for owner, wrapped, version in tx.rows("data_keys", (list(brought),))
        }
        opened: dict[UUID, Arrival] = {}
        for raw_id, r in brought.items():
            if raw_id not in keys:
                # normalize stores keys before it publishes, so it was there once
                raise BadMessage(ReasonCode.DATA_KEY_MISSING, "the data key of the raw event is gone")
            wrapped, version = keys[raw_id]
            record = cast(Mapping[str, object], by_record[r][0].fields["record"])
            plain = open_sealed(
                self._ring.unwrap(wrapped, version, raw_id),
                cast(bytes, record["sealed_record"]),
                b"normalized:record:" + raw_id.bytes,
            )
            identifiers, traits = deserialize(plain)
            self._cache.put(IdentityRecord(r, identifiers, traits))
            a = new[r]
            opened[r] = Arrival(
                a.activity, a.products, hashed[r].keys, IdentityRecord(r, identifiers, traits, a.products)
            )
        return opened

    def _write_events(
        self,
        tx: Transaction,
        announcer: Announcer,
        events: Sequence[Event],
        homes: Mapping[UUID, UUID],
        versions: Mapping[UUID, int],
        outcomes: Mapping[UUID, Outcome],
    ) -> None:
        committed_at = datetime.now(UTC)
        rows = []
        messages: list[tuple[UUID, Mapping[str, object]]] = []
        for event in events:
            outcome = outcomes[event.record_id] if event.record_id else _NOBODY
            reasons = [*outcome.reasons, *cast(Sequence[str], event.fields["issues"])]
            rows.append(_event_row(event, outcome.decision, reasons, committed_at))
            if event.record_id is not None:
                home = homes[event.record_id]
                messages.append(
                    (home, _linked(event, home, versions[home], outcome.decision, reasons, committed_at))
                )
        tx.copy("copy_events", _EVENT_TYPES, rows)
        announcer.linked(messages)


_NOBODY = Outcome("rejected", (ReasonCode.NO_IDENTITY,))
_EVENT_TYPES = (
    "uuid", "uuid", "uuid", "timestamptz", "timestamptz", "timestamptz", "text", "text", "text", "text",
    "float8", "text", "jsonb", "text", "text[]", "text", "text", "text",
)  # fmt: skip


@lru_cache(maxsize=65_536)
def product_number(sku: str) -> int:
    """A product as a signed 64-bit number; products are no personal data, so no key is needed."""
    return int.from_bytes(hashlib.blake2b(sku.encode(), digest_size=8).digest(), "big", signed=True)


def hashed_content(event: Event) -> HashedContent:
    """The hashed side of the record that an event carries."""
    record = cast(Mapping[str, object], event.fields["record"])
    identifiers = cast(Sequence[Mapping[str, object]], record["identifiers"])
    return HashedContent(
        cast(int, record["hash_key_version"]),
        tuple((cast(str, i["type"]), cast(bytes, i["value_hash"])) for i in identifiers),
        unpack_match_keys(cast(bytes, record["match_keys"])),
    )


def _fold(events: Sequence[Event]) -> Arrival:
    activity = RecordActivity(
        first_seen=min(e.occurred_at for e in events),
        last_seen=max(e.occurred_at for e in events),
        sources=tuple(sorted({e.source for e in events})),
    )
    return Arrival(activity, frozenset().union(*(e.products for e in events)))


def _outcomes(
    arrivals: Mapping[UUID, Arrival], new: Mapping[UUID, Arrival], found: Found, settlement: Settlement
) -> dict[UUID, Outcome]:
    """The decision each record's events are stored with."""
    outcomes: dict[UUID, Outcome] = {
        r: Outcome("linked", (ReasonCode.KNOWN_RECORD,)) for r in arrivals if r not in new
    }
    merged = {d.target for d in settlement.decisions if isinstance(d, Merged)}
    for decision in settlement.decisions:
        match decision:
            case Created(records=records):
                kind, reason = "created", ReasonCode.NEW_CUSTOMER
            case Linked(profile_id=profile, records=records, reason=reason):
                kind = "merged" if profile in merged else "linked"
            case Merged() | Split() | Review():
                continue
        for r in records:
            overfull = (ReasonCode.BLOCK_OVERFULL,) if r in found.overfull else ()
            outcomes[r] = Outcome(kind, (reason, *overfull))
    return outcomes


def _event_row(
    event: Event, decision: str, reasons: Sequence[str], committed_at: datetime
) -> tuple[object, ...]:
    f = event.fields
    order = cast(Mapping[str, object] | None, f["order"])
    return (
        event.event_id, event.raw_id, event.record_id, event.occurred_at, event.accepted_at, committed_at,
        event.source, f["event_type"], f["channel"], f["store"],
        order["amount"] if order else None, order["currency"] if order else None,
        orjson.dumps(order["items"]).decode() if order and order["items"] else None,
        decision, list(reasons), f["source_record_id"], f["request_id"], f["correlation_id"],
    )  # fmt: skip


_CARRIED = (
    "source",
    "event_type",
    "occurred_at",
    "accepted_at",
    "request_id",
    "correlation_id",
    "channel",
    "store",
)


def _linked(
    event: Event, home: UUID, version: int, decision: str, reasons: Sequence[str], committed_at: datetime
) -> Mapping[str, object]:
    return {
        "event_id": str(event.event_id),
        "profile_id": str(home),
        "profile_version": version,
        "record_id": str(event.record_id),
        "decision": decision,
        "committed_at": committed_at,
        "reasons": list(reasons),
        **{name: event.fields[name] for name in _CARRIED},
        "order": as_branch(ORDER, event.fields["order"]),
    }


def _count(
    events: Sequence[Event],
    found: Found,
    settlement: Settlement,
    outcomes: Mapping[UUID, Outcome],
    reviews: int,
) -> None:
    now = time.time()
    for event in events:
        metrics.ACCEPTED_TO_COMMITTED.observe(max(0.0, now - event.accepted_at.timestamp()))
    metrics.EVENTS_RESOLVED.inc(len(events))
    metrics.COMPARISONS.inc(found.compared)
    for outcome in outcomes.values():
        metrics.DECISIONS.labels(outcome.decision, outcome.reasons[0]).inc()
    for decision in settlement.decisions:
        if isinstance(decision, Merged):
            metrics.DECISIONS.labels("merged", "profiles").inc()
        elif isinstance(decision, Split):
            metrics.DECISIONS.labels("split", decision.reason).inc()
        else:
            assert isinstance(decision, Linked | Created)
    for keys in found.overfull.values():
        for key in keys:
            metrics.KEYS_SKIPPED.labels(key.kind.name.lower()).inc()
    metrics.REVIEW_CHANGES.inc(reviews)


def main(settings: Settings) -> None:
    """Run the resolve stage until SIGTERM."""
    configure(settings, STAGE)
    metrics.serve(settings)
    stop = stop_on_signals()
    policy = load_policy(settings)
    with Database(settings.postgres_dsn.get_secret_value(), STAGE) as database:
        stage = ResolveStage(
            settings, database, load_key_ring(settings), load_codec(settings), load_model(settings), policy
        )
        calm_gc()
        get_logger().info("resolve stage starts", policy=policy.version)
        run(stage, settings, database, stop)
