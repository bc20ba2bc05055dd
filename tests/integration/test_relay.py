"""The outbox relay on a real database: in order, nothing lost, one at a time, and over real Kafka to the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer

from pipeline.errors import BrokerUnavailable
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.stream.outbox import write_outbox
from pipeline.stream.publish import MemoryPublisher, Outgoing
from pipeline.stream.relay import Relay
from tests.support.people import ring
from tests.support.processes import process

TOPIC, OTHER = "profiles.updates", "events.linked"


class Outbox:
    """Writes transactions into an outbox, and relays over it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.database = Database(dsn, "test")
        self.stop = threading.Event()
        self._opened: list[Database] = [self.database]
        self._threads: list[threading.Thread] = []

    def commit(self, start: int, end: int, topic: str = TOPIC) -> None:
        with self.database.transaction() as tx:
            numbers = [str(i).encode() for i in range(start, end)]
            write_outbox(tx, topic, [b"k"] * len(numbers), numbers)

    def relay(self, publisher: MemoryPublisher) -> Relay:
        database = Database(self.dsn, "relay")
        self._opened.append(database)
        settings = Settings(retry_initial_ms=1, retry_max_ms=20)
        return Relay(settings, database, publisher, self.stop, ring())

    def running(self, relay: Relay) -> threading.Thread:
        """The relay in a thread of its own, which `close` ends whatever became of the test."""
        thread = threading.Thread(target=relay.run)
        self._threads.append(thread)
        thread.start()
        return thread

    def waiting(self) -> int:
        with self.database.transaction() as tx:
            row = tx.row("outbox_depth")
            assert row is not None
            return int(row[0])

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()
        for database in self._opened:
            database.close()


@pytest.fixture
def outbox(database: str) -> Iterator[Outbox]:
    made = Outbox(database)
    yield made
    made.close()


def values(publisher: MemoryPublisher) -> list[int]:
    return [int(m.value or b"-1") for m in publisher.log]


def test_rows_go_out_in_order_and_only_once(outbox: Outbox) -> None:
    for start in range(0, 100, 10):
        outbox.commit(start, start + 10)
    publisher = MemoryPublisher()
    relay = outbox.relay(publisher)
    while relay.publish_some():
        pass
    assert values(publisher) == list(range(100))
    assert outbox.waiting() == 0


def test_topics_and_tombstones_pass(outbox: Outbox) -> None:
    with outbox.database.transaction() as tx:
        write_outbox(tx, OTHER, [b"a"], [b"x"])
        write_outbox(tx, TOPIC, [b"b", b"c"], [None, b"y"])
        write_outbox(tx, TOPIC, [], [])
    publisher = MemoryPublisher()
    outbox.relay(publisher).publish_some()
    assert publisher.log == [
        Outgoing(OTHER, b"a", b"x"),
        Outgoing(TOPIC, b"b", None),
        Outgoing(TOPIC, b"c", b"y"),
    ]


def test_what_was_rolled_back_is_never_published(outbox: Outbox) -> None:
    with outbox.database.transaction() as tx:
        write_outbox(tx, TOPIC, [b"k"], [b"x"])
        raise psycopg.Rollback
    assert outbox.relay(MemoryPublisher()).publish_some() == 0


def test_a_broker_that_is_away_loses_nothing(outbox: Outbox) -> None:
    publisher = MemoryPublisher()
    publisher.away = True
    relay = outbox.relay(publisher)
    outbox.commit(0, 10)
    with pytest.raises(BrokerUnavailable):
        relay.publish_some()
    assert outbox.waiting() == 1
    publisher.away = False
    relay.publish_some()
    assert values(publisher) == list(range(10))
    assert outbox.waiting() == 0


class Slow(MemoryPublisher):
    """Says when two relays publish at a time, and fails now and then after the messages were taken."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.calls = 0

    def publish(self, messages: Sequence[Outgoing]) -> None:
        assert self.lock.acquire(blocking=False), "two relays at a time"
        try:
            self.calls += 1
            time.sleep(0.002)
            super().publish(messages)
            if self.calls % 5 == 0:
                raise BrokerUnavailable("the acknowledgement got lost")
        finally:
            self.lock.release()


def test_two_relays_take_turns_and_keep_the_order(outbox: Outbox) -> None:
    publisher = Slow()
    relays = [outbox.running(outbox.relay(publisher)) for _ in range(2)]
    for start in range(0, 500, 5):
        outbox.commit(start, start + 5)
    _wait_for(lambda: outbox.waiting() == 0)
    outbox.stop.set()
    for thread in relays:
        thread.join(60)
        assert not thread.is_alive()
    newest = -1
    for value in values(publisher):
        assert value <= newest + 1, "a message overtook an older one of its key"
        newest = max(newest, value)
    assert newest == 499


def test_a_commit_wakes_the_relay_and_a_lost_connection_is_replaced(outbox: Outbox) -> None:
    publisher = MemoryPublisher()
    thread = outbox.running(outbox.relay(publisher))
    outbox.commit(0, 1)
    _wait_for(lambda: len(publisher.log) == 1)
    with outbox.database.transaction() as tx:
        tx.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'relay' AND datname = current_database()"
        )
    outbox.commit(1, 2)
    _wait_for(lambda: len(publisher.log) == 2)
    outbox.stop.set()
    thread.join(60)
    assert not thread.is_alive()


def test_the_process_publishes_to_kafka_and_ends_on_sigterm(house: Settings, tmp_path: Path) -> None:
    outbox = Outbox(house.postgres_dsn.get_secret_value())
    for start in range(0, 1_000, 50):
        outbox.commit(start, start + 50)
    with process("pipeline.stream.relay", house, tmp_path / "log") as running:
        config = {"group.id": house.topic("reader"), "auto.offset.reset": "earliest"}
        consumer = Consumer({"bootstrap.servers": house.kafka_bootstrap, **config})
        consumer.subscribe([house.topic(TOPIC)])
        found: list[int] = []
        deadline = time.monotonic() + 30
        while len(found) < 1_000 and time.monotonic() < deadline:
            found += [int(m.value() or b"-1") for m in consumer.consume(500, 0.2) if m.error() is None]
        consumer.close()
        assert found == list(range(1_000))
        _wait_for(lambda: outbox.waiting() == 0)
        running.terminate()
        assert running.wait(10) == 0, (tmp_path / "log").read_text()
    outbox.close()


def _wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
