"""Normalize: raw events in; canonical, hashed, encrypted events out. Keeps no state between batches.

The order of the steps: decode and check; canonicalise and hash; store the raw events, their data keys and the dead
letters in one transaction; publish what was normalised. The positions of a batch are written with the next batch,
once its events are acknowledged: nothing is lost in between, and what is published twice resolve knows by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline import metrics
from pipeline.configuration import load_policy
from pipeline.errors import PositionFenced
from pipeline.identity.policy import Policy
from pipeline.log import configure, get_logger
from pipeline.normalizer import NORMALIZED, RAW, Normalizer, Prepared
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.privacy.seal import seal_with
from pipeline.raw_event import raw_context
from pipeline.settings import Settings
from pipeline.store.data_keys import own_data_keys
from pipeline.store.database import Database, Transaction
from pipeline.store.months import Months
from pipeline.store.roles import Role, as_role
from pipeline.stream.batch import Advance, Batch, Message
from pipeline.stream.deadletter import DeadLetters, reason_of
from pipeline.stream.loop import run
from pipeline.stream.positions import advance
from pipeline.stream.process import calm_gc, stop_on_signals
from pipeline.stream.publish import KafkaPublisher, Outgoing, Publisher
from schemas.codec import Codec, load_codec

__all__ = ["NORMALIZED", "RAW", "STAGE", "NormalizeStage", "main"]

STAGE = "normalize"
_RECORD_CONTEXT = b"normalized:record:"


class NormalizeStage:
    """The handler of the normalize loop. One thread, one database connection."""

    stage = STAGE
    topic = RAW

    def __init__(
        self,
        settings: Settings,
        database: Database,
        publisher: Publisher,
        ring: KeyRing,
        codec: Codec,
        policy: Policy,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._ring = ring
        self._normalizer = Normalizer(settings, ring, codec, policy)
        self._months = Months("customer_raw_event")
        self._dead_letters = DeadLetters(STAGE, settings, codec, ring)
        self._pending: tuple[Advance, ...] = ()
        self.may_refuse: Callable[[int, int], None] = lambda messages, refused: None
        self._clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def handle(self, batch: Batch) -> int:
        """Store and publish a batch; returns how many messages became dead letters. Raises RetryLater, StagePaused."""
        with metrics.STEP_SECONDS.labels(STAGE, "prepare").time():
            good, refused = self._normalizer.prepared(batch.messages, self._clock())
        if refused:
            self.may_refuse(len(batch.messages), len(refused))
        with metrics.STEP_SECONDS.labels(STAGE, "store").time():
            self._months.ensure(self._database, {p.event.accepted_at for p in good})
            with self._transaction() as tx:
                messages = self._store(tx, good)
                self._dead_letters.write(tx, refused)
        with metrics.STEP_SECONDS.labels(STAGE, "publish").time():
            self._publisher.publish(messages)
        self._pending = batch.positions
        for _, error in refused:
            metrics.DEAD_LETTERS.labels(STAGE, reason_of(error)).inc()
        return len(refused)

    def bury(self, message: Message, at: Advance, error: Exception) -> None:
        """See `Handler`."""
        with self._transaction() as tx:
            advance(tx, STAGE, (at,))
            self._dead_letters.write(tx, [(message, error)])

    def settle(self) -> None:
        """See `Settling`."""
        if self._pending:
            with self._transaction():
                pass

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        """A transaction that also writes the pending positions: all before it is acknowledged by now."""
        try:
            with self._database.transaction() as tx:
                advance(tx, STAGE, self._pending)
                yield tx
        except PositionFenced:
            self._pending = ()
            raise
        self._pending = ()

    def _store(self, tx: Transaction, events: Sequence[Prepared]) -> list[Outgoing]:
        """Store the raw events, sealed under keys of their own; returns the normalized events to publish."""
        if not events:
            return []
        ids = [p.event.raw_id for p in events]
        ciphers = [AESGCM(key) for key in own_data_keys(tx, self._ring, ids)]
        sealed = [
            seal_with(cipher, p.message.value or b"", raw_context(raw_id))
            for cipher, raw_id, p in zip(ciphers, ids, events, strict=True)
        ]
        tx.run(
            "add_raw_events",
            (
                ids,
                [p.event.event_id for p in events],
                [p.event.accepted_at for p in events],
                [p.message.topic for p in events],
                [p.message.partition for p in events],
                [p.message.offset for p in events],
                sealed,
            ),
        )
        records = [
            seal_with(cipher, p.hashed.serialized, _RECORD_CONTEXT + raw_id)
            for cipher, raw_id, p in zip(ciphers, ids, events, strict=True)
        ]
        return [self._normalizer.normalized(p, sealed) for p, sealed in zip(events, records, strict=True)]


def main(settings: Settings) -> None:
    """Run the normalize stage until SIGTERM."""
    configure(settings, STAGE)
    metrics.serve(settings)
    stop = stop_on_signals()
    publisher = KafkaPublisher(settings, STAGE, stop.is_set)
    with Database(as_role(settings, Role.NORMALIZE), STAGE) as database:
        stage = NormalizeStage(
            settings,
            database,
            publisher,
            load_key_ring(settings),
            load_codec(settings),
            load_policy(settings),
        )
        calm_gc()
        get_logger().info("normalize stage starts")
        try:
            run(stage, settings, stop)
        finally:
            publisher.close()
    get_logger().info("normalize stage stopped")
