"""The loop on a real broker and database: each message takes effect exactly once, whatever happens to the workers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.errors import PositionFenced, StoreUnavailable
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.stream.batch import Advance, Batch, Message, Place
from pipeline.stream.loop import run
from pipeline.stream.positions import advance
from pipeline.stream.source import KafkaSource
from schemas.topics import topics

TOPIC = "events.raw"


class Writer:
    """A stage whose effect is a row a message; a message that takes effect twice breaks the primary key."""

    stage = "normalize"  # whose role it takes
    topic = TOPIC

    def __init__(self, database: Database, before: Callable[[Batch], None] = lambda _: None) -> None:
        self.database = database
        self.before = before
        self.buried: list[bytes | None] = []
        self.batches = 0
        self.prepared = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def prepare(self, messages: Sequence[Message]) -> None:
        self.prepared += len(messages)

    def handle(self, batch: Batch) -> None:
        self.batches += 1
        self.before(batch)
        with self.database.transaction() as tx:
            advance(tx, self.stage, batch.positions)
            self.meanwhile()  # rebalances come amid the transaction
            self._write(batch.messages, tx.connection)

    def bury(self, message: Message, at: Advance, error: Exception) -> None:
        with self.database.transaction() as tx:
            advance(tx, self.stage, [at])
            self._write([message], tx.connection)
        self.buried.append(message.value)

    @staticmethod
    def _write(messages: Sequence[Message], connection: psycopg.Connection[tuple[object, ...]]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO effect VALUES (%s, %s, %s)", [(m.partition, m.offset, m.value) for m in messages]
            )


class Worker:
    """A writer on a thread with a connection of its own."""

    def __init__(self, settings: Settings, before: Callable[[Batch], None] = lambda _: None) -> None:
        self.database = Database(settings.postgres_dsn.get_secret_value(), "test")
        self.writer = Writer(self.database, before)
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(settings,))
        self._thread.start()

    def _run(self, settings: Settings) -> None:
        try:
            run(self.writer, settings, self.stop)
        except BaseException as exc:
            self.error = exc
            raise
        finally:
            self.database.close()

    def finish(self) -> None:
        self.stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "a worker stops"
        assert self.error is None


@pytest.fixture
def effects(house: Settings) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(house.postgres_dsn.get_secret_value(), autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE effect (partition int, place bigint, value bytea, PRIMARY KEY (partition, place))"
        )
        yield connection


@pytest.fixture
def fast(house: Settings) -> Settings:
    return house.model_copy(update={"batch_max_events": 50, "retry_initial_ms": 5, "retry_max_ms": 50})


@contextmanager
def worker(settings: Settings, before: Callable[[Batch], None] = lambda _: None) -> Iterator[Worker]:
    running = Worker(settings, before)
    try:
        yield running
    finally:
        running.finish()


def produce(settings: Settings, start: int, end: int) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "linger.ms": 5})
    for i in range(start, end):
        producer.produce(settings.topic(TOPIC), str(i).encode(), str(i).encode())
    assert producer.flush(15) == 0


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def count(effects: psycopg.Connection[tuple[object, ...]]) -> int:
    row = effects.execute("SELECT count(DISTINCT value), count(*) FROM effect").fetchone()
    assert row is not None
    assert row[0] == row[1], "a message took effect twice"
    return int(str(row[0]))


def positions(effects: psycopg.Connection[tuple[object, ...]]) -> int:
    row = effects.execute("SELECT sum(next_offset)::bigint FROM consumer_position").fetchone()
    assert row is not None
    return int(str(row[0]))


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_workers_join_and_leave_under_load(
    fast: Settings, effects: psycopg.Connection[tuple[object, ...]], protocol: str
) -> None:
    settings = fast.model_copy(update={"kafka_group_protocol": protocol})

    sent = threading.Event()
    load = threading.Thread(target=_load, args=(settings, sent))
    load.start()
    with worker(settings) as first:
        wait_for(lambda: count(effects) > 200)
        with worker(settings) as second:
            wait_for(lambda: second.writer.batches > 5)
            first.finish()
            at = second.writer.batches
            wait_for(lambda: second.writer.batches > at + 5)
            with worker(settings) as third:
                wait_for(lambda: third.writer.batches > 5)
                sent.set()
                load.join()
                wait_for(lambda: count(effects) == positions(effects) == _sent(settings))
    assert not first.writer.buried + second.writer.buried + third.writer.buried
    assert first.writer.prepared, "partitions moved while messages were read ahead"


def _load(settings: Settings, sent: threading.Event) -> None:
    start = 0
    while not sent.is_set():
        produce(settings, start, start + 20)
        start += 20
        time.sleep(0.02)


def _sent(settings: Settings) -> int:
    """Messages in the topic."""
    topic = settings.topic(TOPIC)
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "counter"})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    marks = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in partitions]
    consumer.close()
    return sum(high for _, high in marks)


def test_a_poison_message_is_buried_and_the_rest_is_unharmed(
    fast: Settings, effects: psycopg.Connection[tuple[object, ...]]
) -> None:
    def refuse(batch: Batch) -> None:
        if any(m.value == b"77" for m in batch.messages):
            raise ValueError("poison")

    produce(fast, 0, 500)
    with worker(fast, refuse) as only:
        wait_for(lambda: count(effects) == 500)
    assert only.writer.buried == [b"77"]


def test_a_zombie_is_fenced_and_goes_on_behind_the_other(
    fast: Settings, effects: psycopg.Connection[tuple[object, ...]]
) -> None:
    """Somebody else handles the first messages of each partition while this worker holds them in its hands."""
    once = iter([True])

    def overtaken(batch: Batch) -> None:
        if next(once, False):
            other = Writer(Database(fast.postgres_dsn.get_secret_value(), "other"))
            other.handle(batch)
            other.database.close()

    produce(fast, 0, 500)
    with worker(fast, overtaken):
        wait_for(lambda: count(effects) == 500)
    assert positions(effects) == 500


def test_connections_that_break_lose_and_double_nothing(
    fast: Settings, effects: psycopg.Connection[tuple[object, ...]]
) -> None:
    def cut() -> None:
        effects.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'"
        )

    chance = random.Random(1)

    def fail_at_times(_: Batch) -> None:
        time.sleep(0.01)
        if chance.random() < 0.2:
            raise StoreUnavailable("a server that comes and goes")

    produce(fast, 0, 2_000)
    with worker(fast, fail_at_times) as only:
        while count(effects) < 2_000 and only.error is None:
            cut()
            time.sleep(0.2)
    assert positions(effects) == 2_000
    assert not only.writer.buried


def test_messages_deleted_before_they_were_read_are_passed_over_aloud(
    fast: Settings, effects: psycopg.Connection[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    produce(fast, 0, 300)
    with worker(fast):
        wait_for(lambda: count(effects) == 300)
    produce(fast, 300, 600)
    admin = AdminClient({"bootstrap.servers": fast.kafka_bootstrap})
    topic = fast.topic(TOPIC)
    marks = effects.execute("SELECT partition, next_offset FROM consumer_position").fetchall()
    cuts = [TopicPartition(topic, int(str(p)), int(str(at)) + 10) for p, at in marks]
    for future in admin.delete_records(cuts).values():
        future.result()
    with worker(fast):
        wait_for(lambda: count(effects) == 600 - 10 * len(cuts))
    assert "not in the log" in capsys.readouterr().out


def test_a_topic_made_anew_is_read_from_its_beginning(
    fast: Settings, effects: psycopg.Connection[tuple[object, ...]]
) -> None:
    """The broker lost its data, Postgres did not: positions beyond the end of the log must not hide what comes."""
    effects.execute(
        "INSERT INTO consumer_position SELECT 'normalize', %s, p, 5000 FROM generate_series(0, 5) p",
        (fast.topic(TOPIC),),
    )
    produce(fast, 0, 300)
    with worker(fast):
        wait_for(lambda: count(effects) == 300)
    assert positions(effects) == 300


def test_no_position_is_waited_for_while_a_batch_holds_its_locks(fast: Settings) -> None:
    """Partitions come while messages are read ahead, and Postgres takes no connection."""
    refused: list[Sequence[Place]] = []
    taken = threading.Event()

    def stored(_: Consumer, places: Sequence[Place]) -> Mapping[Place, int]:
        if taken.is_set() or refused:
            return dict.fromkeys(places, 1)
        refused.append(places)
        raise StoreUnavailable("too many clients")

    produce(fast, 0, 100)
    source = KafkaSource("ahead", [TOPIC], fast, stored, threading.Event())
    fenced = False
    while not refused:
        try:
            source.ahead()
        except PositionFenced:
            fenced = True
    assert fenced
    taken.set()
    source.rewind()
    read: list[Message] = []
    deadline = time.monotonic() + 60
    while len(read) < 100 - topics()[TOPIC].partitions and time.monotonic() < deadline:
        read += source.collect()
    source.close()
    assert {m.offset for m in read} == set(range(1, 1 + max(m.offset for m in read)))
    assert len(read) == len({(m.partition, m.offset) for m in read}) == 100 - topics()[TOPIC].partitions


def test_what_is_lost_while_reading_ahead_is_read_again(
    fast: Settings, effects: psycopg.Connection[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's queue is emptied by a call that then raises, each time, until a batch is done."""
    read, torn = KafkaSource._read, []

    def tear(source: KafkaSource, count: int, seconds: float) -> bool:
        came = read(source, count, seconds)
        if seconds == 0.0 and came and len(torn) < 3:  # only `ahead` does not wait at all
            torn.append(count)
            source._empty_hand()
            raise ValueError("an undecodable header")
        return came

    monkeypatch.setattr(KafkaSource, "_read", tear)
    produce(fast, 0, 500)
    with worker(fast) as only:
        wait_for(lambda: count(effects) == 500)
    assert len(torn) == 3
    assert positions(effects) == 500
    assert not only.writer.buried
