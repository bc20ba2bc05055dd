"""The outbox relay: publishes what transactions committed, in order, at least once, and then deletes it.

Its process also files what comes back on events.dead-letter (docs/adr/0021), and chains the audit log (docs/adr/0029).

Any number may run; an advisory lock lets one at a time read, publish and delete, so the rest stand by. Nothing is
published past a message that was not acknowledged, so a key's messages are in order also after failures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from psycopg.rows import TupleRow

from pipeline import metrics
from pipeline.audit.chaining import chaining
from pipeline.dead_letters.filing import filing
from pipeline.errors import ConfigurationError, RetryLater, SealBroken
from pipeline.identity.ids import Id
from pipeline.log import configure, get_logger
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.settings import Settings
from pipeline.store.database import Database, Transaction
from pipeline.store.roles import Role, as_role
from pipeline.stream.backoff import Backoff
from pipeline.stream.deadletter import REPLAY_HEADER
from pipeline.stream.outbox import open_payload
from pipeline.stream.process import stop_on_signals
from pipeline.stream.publish import KafkaPublisher, Outgoing, Publisher
from schemas.codec import load_codec

STAGE = "relay"
_ROWS = 8  # a row holds a batch's messages for one topic, some 16 MiB at most
_POLL_S = 0.2  # should a notification get lost, or another relay have gone
_MEASURE_S = 1.0


def outgoing(rows: Sequence[TupleRow], data_keys: Mapping[Id, bytes], unsent: set[Id]) -> Iterator[Outgoing]:
    """The messages of outbox rows (outbox_id, topic, keys, payloads, owners), in order.

    An empty payload is a tombstone. Those with an owner are opened by its data key and name it in a header; owners
    whose message does not open are put into `unsent`, for what is behind it must go out.
    """
    for _, topic, keys, payloads, owners in rows:
        if owners is None:
            for key, payload in zip(keys, payloads, strict=True):
                yield Outgoing(topic, key, payload or None)
        else:
            for key, sealed, owner in zip(keys, payloads, owners, strict=True):
                try:
                    value = open_payload(owner, data_keys[owner], sealed)
                except (KeyError, SealBroken):
                    unsent.add(owner)
                else:
                    yield Outgoing(topic, key, value, ((REPLAY_HEADER, str(owner).encode()),))


class Relay:
    """Moves rows of the outbox to a publisher until `stop` is set."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        publisher: Publisher,
        stop: threading.Event,
        ring: KeyRing,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._stop = stop
        self._ring = ring
        self._prefix = settings.topic_prefix
        self._backoff = Backoff(settings)
        self._measured = 0.0

    def run(self) -> None:
        """Publish until stopped; servers that are away are waited for."""
        while not self._stop.is_set():
            try:
                if self.publish_some() < _ROWS and not self._stop.is_set():
                    self._database.notified(_POLL_S)
                self._backoff.reset()
            except RetryLater as exc:
                wait_s = self._backoff.next()
                metrics.RETRIES.labels(STAGE, type(exc).__name__).inc()
                get_logger().warning("trying again", stage=STAGE, error=str(exc), wait_s=round(wait_s, 3))
                self._stop.wait(wait_s)

    def publish_some(self) -> int:
        """Publish and delete the oldest rows; returns how many, 0 also while another relay is at it.

        Raises StoreUnavailable, BrokerUnavailable: the rows stay, and are published again.
        """
        with self._database.transaction() as tx:
            tx.run("listen_outbox")
            claim = tx.row("claim_relay", {"prefix": self._prefix})
            if claim is None or not claim[0]:
                return 0
            self._measure(tx)
            rows = tx.rows("read_outbox", {"limit": _ROWS})
            if rows:
                unsent: set[Id] = set()
                self._publisher.publish(list(outgoing(rows, self._data_keys(tx, rows), unsent)))
                self._wait_again(tx, unsent)
                # a delete that a crash of the database takes back only publishes twice: no need to wait for the disk
                tx.run("commit_lazily")
                tx.run("delete_outbox", {"ids": [row[0] for row in rows]})
            return len(rows)

    def _wait_again(self, tx: Transaction, unsent: set[Id]) -> None:
        """Replayed letters that could not go out wait again, so that none is lost."""
        if unsent:
            get_logger().error("replayed dead letters do not open", dead_letters=sorted(map(str, unsent)))
            tx.run("reopen_dead_letters", {"letters": sorted(unsent), "actor": STAGE})

    def _data_keys(self, tx: Transaction, rows: Sequence[TupleRow]) -> Mapping[Id, bytes]:
        owners = [owner for row in rows for owner in row[4] or ()]
        if not owners:
            return {}
        found = {}
        for owner, wrapped, version in tx.rows("data_keys", (owners,)):
            try:
                found[owner] = self._ring.unwrap(wrapped, version, owner)
            except (SealBroken, ConfigurationError) as exc:
                get_logger().error("a data key does not unwrap", dead_letter_id=str(owner), error=str(exc))
        return found

    def _measure(self, tx: Transaction) -> None:
        if time.monotonic() - self._measured < _MEASURE_S:
            return
        self._measured = time.monotonic()
        depth = tx.row("outbox_depth")
        if depth is not None:
            metrics.OUTBOX_ROWS.set(depth[0])
            metrics.OUTBOX_AGE_SECONDS.set(depth[1])


def main(settings: Settings) -> None:
    """Run a relay until SIGTERM; file dead letters and chain the audit log beside it. Raises what ends any of them."""
    configure(settings, STAGE)
    metrics.serve(settings)
    stop = stop_on_signals()
    ring = load_key_ring(settings)
    publisher = KafkaPublisher(settings, STAGE, stop.is_set)
    with Database(as_role(settings, Role.RELAY), STAGE) as database:
        get_logger().info("relay starts")
        try:
            with filing(settings, ring, load_codec(settings), stop), chaining(settings, ring, stop):
                Relay(settings, database, publisher, stop, ring).run()
        finally:
            publisher.close()
    get_logger().info("relay stopped")
