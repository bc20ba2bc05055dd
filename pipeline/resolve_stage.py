"""Resolve: normalized events in; profiles, decisions and messages out, a batch in one ACID transaction.

The order of the steps: claim the position and the event ids, tell known records from new ones, find and lock the
neighbourhood, settle it, write, announce. Everything that decides is pure and lives in pipeline/identity.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import cast

from pipeline import metrics
from pipeline.announce import Announcer, versions_of
from pipeline.codes import ReasonCode
from pipeline.configuration import load_model, load_policy
from pipeline.errors import BadMessage
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord
from pipeline.identity.normalize import deserialize
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.settle import settle
from pipeline.ids import new_id
from pipeline.log import configure, get_logger
from pipeline.matching import Arrival, gather, known_behind_locks
from pipeline.normalized_event import Event, arrival_of, decode_event, hashed_content
from pipeline.outcome import EVENT_TYPES, NOBODY, Outcome, count, event_row, linked_event, outcomes_of
from pipeline.ports import Known
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.privacy.seal import open_sealed
from pipeline.settings import Settings
from pipeline.store.configurations import InForce
from pipeline.store.database import Database, Transaction
from pipeline.store.identity_store import OverfullKeys, PostgresIdentityStore, RecordCache
from pipeline.store.identity_writer import Author, HashedContent, IdentityWriter
from pipeline.store.months import Months
from pipeline.store.review_writer import ReviewWriter
from pipeline.stream.batch import Advance, Batch, Message
from pipeline.stream.deadletter import DeadLetters
from pipeline.stream.loop import run
from pipeline.stream.positions import advance
from pipeline.stream.process import calm_gc, stop_on_signals
from schemas.codec import Codec, load_codec

STAGE = "resolve"


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
        self._overfull = OverfullKeys()
        self._in_force = InForce(STAGE, model, policy)
        self._months = Months("event")
        self._dead_letters = DeadLetters(STAGE, settings, codec, ring)
        self._new_id: Callable[[], Id] = new_id
        self._ready: dict[int, tuple[Message, Event]] = {}
        """By the message's `id`: an offset may come again in a topic made anew."""
        self.meanwhile: Callable[[], None] = lambda: None

    def handle(self, batch: Batch) -> None:
        """Resolve a batch in one transaction. Raises RetryLater, BadMessage, or whatever a poison event causes."""
        self._in_force.ensure(self._database)
        ready, self._ready = self._ready, {}
        events = [
            ready[id(m)][1] if id(m) in ready else decode_event(self._codec, m)
            for m in batch.messages
            if m.value is not None
        ]
        self._months.ensure(self._database, (e.accepted_at for e in events))
        with self._database.transaction() as tx:
            advance(tx, STAGE, batch.positions)
            counted = self._resolve(tx, events)
        counted()  # only what is committed counts

    def prepare(self, messages: Sequence[Message]) -> None:
        """See `Preparing`: decode them."""
        for message in messages:
            if message.value is not None:
                with suppress(Exception):  # raised again when it is its turn
                    self._ready[id(message)] = message, decode_event(self._codec, message)

    def bury(self, message: Message, at: Advance, error: Exception) -> None:
        """Send one message that cannot be processed to the dead letters, and go on behind it."""
        with self._database.transaction() as tx:
            advance(tx, STAGE, (at,))
            self._dead_letters.write(tx, [(message, error)])

    def _resolve(self, tx: Transaction, events: Sequence[Event]) -> Callable[[], None]:
        """All effects of a batch; returns what counts them."""
        fresh = self._claim(tx, events)
        if not fresh:
            return lambda: None
        now = datetime.now(UTC)
        author = Author(STAGE, None, self._model.version, self._policy.version, now, self._new_id)
        store = PostgresIdentityStore(tx, self._cache, self._overfull, self.meanwhile)
        by_record: defaultdict[Id, list[Event]] = defaultdict(list)
        for event in fresh:
            if event.record_id is not None:
                by_record[event.record_id].append(event)
        arrivals = {r: arrival_of(es) for r, es in by_record.items()}
        seen, hashed = self._split(store, arrivals, by_record)
        known = {r: arrivals[r] for r in seen}
        new = self._open(tx, {r: arrivals[r] for r in hashed}, hashed, by_record)
        found = gather(new, known, seen, store, self._model, self._policy)
        settlement = settle(found.neighbourhood, self._model, self._policy, self._new_id, now)
        writer = IdentityWriter(tx, self._ring, author)
        logged = writer.merge_log(settlement.decisions, found.neighbourhood, settlement)
        writer.new_records(hashed, found, settlement)
        announcer = Announcer(tx, self._codec, author)
        outcomes = outcomes_of(arrivals, new, found, settlement)
        homes = {r: settlement.moves.get(r) or found.known[r].profile_id for r in arrivals}
        versions = {k.profile_id: k.version for k in found.known.values()}
        versions |= {p: after.version for p, after in settlement.profiles.items()}
        with tx.unawaited():
            writer.profiles(settlement)
            writer.moves(settlement, new)
            writer.activity(known, {r: a.products for r, a in arrivals.items() if a.products})
            writer.evidence(found)
            writer.worn(found)
            rows, messages = _events(fresh, homes, versions, outcomes)
            announcer.linked(messages)
            announcer.merges(logged, versions)
            announcer.profiles(settlement.profiles)
            reviews = ReviewWriter(tx, author).write(settlement)
            versions |= versions_of(tx, {p for c in reviews for p in (c.low, c.high)} - versions.keys())
            announcer.reviews(reviews, versions)
        tx.copy("copy_events", EVENT_TYPES, rows)
        return partial(count, fresh, found, settlement, outcomes, len(reviews))

    def _claim(self, tx: Transaction, events: Iterable[Event]) -> list[Event]:
        """Those of the events that were never linked before, each once."""
        first: dict[Id, Event] = {}
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

    def _split(
        self,
        store: PostgresIdentityStore,
        arrivals: Mapping[Id, Arrival],
        by_record: Mapping[Id, Sequence[Event]],
    ) -> tuple[dict[Id, Known], dict[Id, HashedContent]]:
        """Known records, and the hashed content of new ones, whose keys are locked."""
        hashed: dict[Id, HashedContent] = {}

        def keys_of(record: Id) -> list[int]:
            hashed[record] = hashed_content(self._codec, by_record[record][0])
            return [k.key for k in hashed[record].keys]

        known = known_behind_locks({r: a.activity for r, a in arrivals.items()}, keys_of, store)
        return known, {r: content for r, content in hashed.items() if r not in known}

    def _open(
        self,
        tx: Transaction,
        new: Mapping[Id, Arrival],
        hashed: Mapping[Id, HashedContent],
        by_record: Mapping[Id, Sequence[Event]],
    ) -> dict[Id, Arrival]:
        """Open the new records with the data keys of the raw events that brought them."""
        if not new:
            return {}
        brought = {by_record[r][0].raw_id: r for r in new}
        keys = {
            owner: (wrapped, version) for owner, wrapped, version in tx.rows("data_keys", (list(brought),))
        }
        opened: dict[Id, Arrival] = {}
        for raw_id, r in brought.items():
            if raw_id not in keys:
                # normalize stores keys before it publishes, so it was there once
                raise BadMessage(ReasonCode.DATA_KEY_MISSING, "the data key of the raw event is gone")
            wrapped, version = keys[raw_id]
            content = cast(Mapping[str, object], by_record[r][0].fields["record"])
            plain = open_sealed(
                self._ring.unwrap(wrapped, version, raw_id),
                cast(bytes, content["sealed_record"]),
                b"normalized:record:" + raw_id,
            )
            identifiers, traits = deserialize(plain)
            record = self._cache.put(IdentityRecord(r, identifiers, traits))
            a = new[r]
            opened[r] = Arrival(a.activity, a.products, hashed[r].keys, record.having_bought(a.products))
        return opened


def _events(
    events: Sequence[Event],
    homes: Mapping[Id, Id],
    versions: Mapping[Id, int],
    outcomes: Mapping[Id, Outcome],
) -> tuple[list[tuple[object, ...]], list[Mapping[str, object]]]:
    """The rows of the events, and the messages about those that name somebody."""
    committed_at = datetime.now(UTC)
    stood = {r: (str(home), versions[home], outcomes[r]) for r, home in homes.items()}
    rows = []
    messages: list[Mapping[str, object]] = []
    for event in events:
        issues = cast(Sequence[str], event.fields["issues"])
        if event.record_id is None:
            rows.append(event_row(event, NOBODY.decision, [*NOBODY.reasons, *issues], committed_at))
            continue
        home, version, outcome = stood[event.record_id]
        reasons = [*outcome.reasons, *issues]
        rows.append(event_row(event, outcome.decision, reasons, committed_at))
        messages.append(linked_event(event, home, version, outcome.decision, reasons, committed_at))
    return rows, messages


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
        run(stage, settings, stop)
