"""The normalize stage on real servers: stored once, sealed, published, and bad input harming only itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import orjson
import pytest
from confluent_kafka import Consumer, Producer
from psycopg.rows import TupleRow

from pipeline.errors import BrokerUnavailable, PositionFenced
from pipeline.identity.ids import Id
from pipeline.identity.normalize import deserialize
from pipeline.normalize_stage import NORMALIZED, RAW, STAGE, NormalizeStage
from pipeline.privacy.seal import open_sealed
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.stream.batch import Batch, Message, Place, batch_of
from pipeline.stream.publish import MemoryPublisher
from schemas.codec import Codec, load_codec
from tests.support.people import policy, ring
from tests.support.processes import process

NOW = datetime.now(UTC).replace(microsecond=0)
EVENT = {
    "source": "pos",
    "event_type": "purchase",
    "event_id": "order-1",
    "identifiers": {"email": "Jane.Roe@mail.test", "phone": "not a phone"},
    "traits": {"first_name": "Jane", "last_name": "Roe", "shoe_size": "38"},
    "payload": {
        "store": "s-1",
        "items": [{"sku": "cd-1", "price": "9.90", "category": "CDs & more"}, {"sku": "a b"}],
    },
}


class Stage:
    """A normalize stage that publishes to memory, and the broker's part: offsets and redelivery."""

    def __init__(self, dsn: str, **settings: object) -> None:
        self.settings = Settings.model_validate({"postgres_dsn": dsn, **settings})
        self.database = Database(dsn, "test")
        self.codec: Codec = load_codec(self.settings)
        self.publisher = MemoryPublisher()
        self.handler = self.restarted()
        self.offset = 0
        self.stored: dict[Place, int | None] = {(RAW, 0): None}

    def restarted(self) -> NormalizeStage:
        return NormalizeStage(self.settings, self.database, self.publisher, ring(), self.codec, policy())

    def messages(self, *values: object) -> tuple[Message, ...]:
        """Raw values as they are, others as JSON."""
        found = []
        for value in values:
            data = value if isinstance(value, bytes | None) else orjson.dumps(value)
            found.append(Message(RAW, 0, self.offset, NOW, b"key", data))
            self.offset += 1
        return tuple(found)

    def send(self, *values: object) -> int:
        return self.deliver(self.messages(*values))

    def deliver(self, messages: Sequence[Message]) -> int:
        batch = batch_of(messages, self.stored)
        dead = self.handler.handle(batch)
        self.stored[RAW, 0] = batch.positions[0].next
        return dead

    def rows(self, query: str) -> list[TupleRow]:
        with self.database.transaction() as tx:
            return tx.connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    def normalized(self) -> list[dict[str, object]]:
        return [self.codec.decode(NORMALIZED, m.value or b"") for m in self.publisher.log]

    def dead_letters(self) -> list[dict[str, object]]:
        payloads = self.rows("SELECT unnest(payloads) FROM outbox WHERE topic = 'events.dead-letter'")
        return [self.codec.decode("events.dead-letter", payload) for (payload,) in payloads]

    def data_key(self, owner: Id) -> bytes:
        with self.database.transaction() as tx:
            row = tx.row("data_keys", ([owner],))
        assert row is not None
        return ring().unwrap(row[1], row[2], owner)


@pytest.fixture
def stage(database: str) -> Iterator[Stage]:
    made = Stage(database)
    yield made
    made.database.close()


def test_an_event_is_stored_sealed_and_published_without_plaintext(stage: Stage) -> None:
    stage.send(EVENT)
    [event] = stage.normalized()
    raw_id = Id.parse(cast(str, event["raw_id"]))
    key = stage.data_key(raw_id)
    record = cast(Mapping[str, object], event["record"])
    sealed = cast(bytes, record["sealed_record"])
    identifiers, traits = deserialize(open_sealed(key, sealed, b"normalized:record:" + raw_id))
    assert [i.value for i in identifiers] == ["jane.roe@mail.test"]
    assert dict(traits) == {"first_name": "jane", "last_name": "roe"}
    assert event["source"] == event["channel"] == "pos"
    assert event["store"] == "s-1"
    assert event["occurred_at"] == event["accepted_at"] == NOW
    assert event["order"] == {
        "amount": 9.9,
        "currency": None,
        "items": [{"sku": "cd-1", "quantity": 1.0, "price": 9.9, "category": "CDs & more"}],
    }
    assert set(cast(list[str], event["issues"])) == {
        "identifiers.phone:invalid_phone",
        "traits.shoe_size:unknown_field",
        "payload.items.sku:invalid_value",
    }
    hashes = cast(Sequence[Mapping[str, object]], record["identifiers"])
    assert stage.publisher.log[0].key == hashes[0]["value_hash"]
    [(body,)] = stage.rows("SELECT sealed FROM customer_raw_event")
    opened = open_sealed(key, body, b"customer_raw_event:sealed:" + raw_id)
    assert orjson.loads(opened) == EVENT
    assert not any(b"jane" in part.lower() for part in (stage.publisher.log[0].value or b"", body))


def test_control_characters_and_emoji_in_a_name_are_told_and_harm_nobody(stage: Stage) -> None:
    odd = [
        {**EVENT, "event_id": f"odd-{n}", "traits": {"first_name": name, "last_name": "Doe"}}
        for n, name in enumerate(("Ja\x00ne", "Jane\U0001f600", "\U0001f600", "José", "علی\u200cرضا"))
    ]
    stage.send(*odd, EVENT)
    found = [cast(list[str], event["issues"]) for event in stage.normalized()]
    told = "traits.first_name:unusual_characters"
    assert [told in issues for issues in found] == [True, True, True, False, False, False]
    assert all(event["record"] is not None for event in stage.normalized())


def test_an_event_that_names_nobody_is_kept(stage: Stage) -> None:
    stage.send({**EVENT, "identifiers": {}, "traits": {"city": "Rome"}})
    [event] = stage.normalized()
    assert event["record"] is None
    assert stage.publisher.log[0].key == Id.parse(cast(str, event["event_id"]))


def test_a_redelivery_stores_nothing_new_and_opens_with_the_stored_key(stage: Stage) -> None:
    messages = stage.messages(EVENT, {**EVENT, "event_id": "order-2"})
    stage.deliver(messages)
    before = stage.rows("SELECT * FROM customer_raw_event ORDER BY 1") + stage.rows("SELECT * FROM data_key")
    stage.handler = stage.restarted()
    stage.stored = {(RAW, 0): None}
    stage.deliver(messages)
    assert before == stage.rows("SELECT * FROM customer_raw_event ORDER BY 1") + stage.rows(
        "SELECT * FROM data_key"
    )
    first, _, again, _ = stage.normalized()
    assert first["raw_id"] == again["raw_id"]
    raw_id = Id.parse(cast(str, again["raw_id"]))
    sealed = cast(bytes, cast(Mapping[str, object], again["record"])["sealed_record"])
    assert open_sealed(stage.data_key(raw_id), sealed, b"normalized:record:" + raw_id)


def test_positions_follow_only_what_was_acknowledged(stage: Stage) -> None:
    stage.send(EVENT)
    assert stage.rows("SELECT * FROM consumer_position") == []
    stage.publisher.away = True
    messages = stage.messages({**EVENT, "event_id": "order-2"})
    with pytest.raises(BrokerUnavailable):
        stage.deliver(messages)
    position = "SELECT next_offset FROM consumer_position"
    assert stage.rows(position) == [(1,)]
    stage.handler.settle()
    assert stage.rows(position) == [(1,)]
    stage.publisher.away = False
    stage.deliver(messages)
    stage.handler.settle()
    stage.handler.settle()
    assert stage.rows(position) == [(2,)]
    assert len(stage.publisher.log) == 2


def test_a_worker_that_was_overtaken_gives_way(stage: Stage) -> None:
    stage.send(EVENT)
    stage.rows("INSERT INTO consumer_position VALUES ('normalize', 'events.raw', 0, 5) RETURNING 1")
    with pytest.raises(PositionFenced):
        stage.send(EVENT)
    stage.handler.settle()
    assert stage.rows("SELECT next_offset FROM consumer_position") == [(5,)]


BAD = [
    (b"\x00\x01", "undecodable"),
    (b"hello", "undecodable"),
    (b"\x00\xff\xff\xff\xff\x00", "unknown_schema"),
    (b'{"source": "pos"', "undecodable"),
    (None, "undecodable"),
    ({"event_type": "x"}, "missing_field"),
    ({**EVENT, "source": 17}, "schema_violation"),
    ({**EVENT, "occurred_at": "2999-01-01T00:00:00Z"}, "schema_violation"),
    ({**EVENT, "payload": {"x": "y" * 300_000}}, "payload_too_large"),
    ({**EVENT, "identifiers": {"phone": ["1"] * 10_000}}, "too_many_identifiers"),
]


def test_bad_messages_become_dead_letters_and_the_others_are_unharmed(stage: Stage) -> None:
    values = [v for value, _ in BAD for v in (value, EVENT)]
    messages = stage.messages(*values)
    assert stage.deliver(messages) == len(BAD)
    assert len(stage.normalized()) == len(BAD)
    letters = stage.dead_letters()
    assert [letter["reason"] for letter in letters] == [reason for _, reason in BAD]
    bad = messages[::2]
    for letter, message in zip(letters, bad, strict=True):
        assert (letter["stage"], letter["topic"], letter["partition"]) == (STAGE, RAW, 0)
        assert letter["offset"] == message.offset
        assert letter["timestamp"] == NOW
        assert not letter["truncated"]
        own_id = Id.parse(cast(str, letter["dead_letter_id"]))
        key = stage.data_key(own_id)
        for name, original in (("key", message.key), ("value", message.value)):
            sealed = cast(bytes | None, letter[f"sealed_{name}"])
            context = f"dead_letter:{name}:".encode() + own_id
            assert (None if sealed is None else open_sealed(key, sealed, context)) == original


def test_the_same_bad_message_is_the_same_dead_letter(stage: Stage) -> None:
    messages = stage.messages(b"hello")
    stage.deliver(messages)
    stage.handler = stage.restarted()
    stage.stored = {(RAW, 0): None}
    stage.deliver(messages)
    first, again = stage.dead_letters()
    assert first["dead_letter_id"] == again["dead_letter_id"]
    assert stage.rows("SELECT count(*) FROM data_key") == [(1,)]


def test_a_huge_bad_message_is_cut_and_says_so(stage: Stage) -> None:
    stage.send(b"x" * 1_000_000)
    [letter] = stage.dead_letters()
    assert letter["truncated"]
    assert len(cast(bytes, letter["sealed_value"])) == 900_000 - len(b"key") + 28


def test_bury_writes_position_and_letter_together(stage: Stage) -> None:
    stage.send(EVENT)
    [message] = stage.messages({**EVENT, "traits": {"first_name": "Jane"}})
    at = batch_of([message], stage.stored).positions[0]
    stage.handler.bury(message, at, ValueError("jane"))
    assert stage.rows("SELECT next_offset FROM consumer_position") == [(2,)]
    [letter] = stage.dead_letters()
    assert (letter["reason"], letter["detail"]) == ("processing_failed", "ValueError")
    with pytest.raises(PositionFenced):
        stage.handler.bury(message, at, ValueError())
    assert len(stage.dead_letters()) == 1


def test_months_get_their_partitions(stage: Stage) -> None:
    times = [datetime(2001, 5, 31, 23, 59, 59, tzinfo=UTC), datetime(2001, 6, 1, tzinfo=UTC), NOW]
    messages = [replace(m, timestamp=t) for m, t in zip(stage.messages(*[EVENT] * 3), times, strict=True)]
    stage.deliver(messages)
    assert stage.rows("SELECT count(DISTINCT tableoid) FROM customer_raw_event") == [(3,)]


def test_the_process_normalizes_what_is_produced_and_ends_on_sigterm(house: Settings, tmp_path: Path) -> None:
    producer = Producer({"bootstrap.servers": house.kafka_bootstrap})
    for i in range(500):
        value = b"bad" if i % 100 == 0 else orjson.dumps({**EVENT, "event_id": f"order-{i}"})
        producer.produce(house.topic(RAW), value)
    assert producer.flush(15) == 0
    with process("pipeline.normalize_stage", house, tmp_path / "log") as running:
        events = _consumed(house, 495)
        started = time.monotonic()
        running.terminate()
        assert running.wait(10) == 0, (tmp_path / "log").read_text()
        assert time.monotonic() - started < 10
    codec = load_codec(house)
    ids = {codec.decode(NORMALIZED, value)["event_id"] for value in events}
    assert len(ids) == 495
    with Database(house.postgres_dsn.get_secret_value(), "test") as database, database.transaction() as tx:
        found = tx.connection.execute(
            "SELECT (SELECT count(*) FROM customer_raw_event), (SELECT sum(next_offset)::int FROM "
            "consumer_position), (SELECT sum(cardinality(keys))::int FROM outbox)"
        ).fetchone()
    assert found == (495, 500, 5)
    assert b"jane" not in (tmp_path / "log").read_bytes().lower()


def _consumed(settings: Settings, count: int) -> list[bytes]:
    config = {"group.id": settings.topic("reader"), "auto.offset.reset": "earliest"}
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, **config})
    consumer.subscribe([settings.topic(NORMALIZED)])
    found: list[bytes] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += [m.value() or b"" for m in consumer.consume(1_000, 0.2) if m.error() is None]
    consumer.close()
    return found


def test_a_batch_without_a_good_event_is_done(stage: Stage) -> None:
    batch = batch_of(stage.messages(b"bad"), stage.stored)
    assert isinstance(batch, Batch)
    assert stage.handler.handle(batch) == 1
    assert stage.publisher.log == []
