"""What every publisher promises, held by the one in memory and the one on Kafka alike."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import pytest
from confluent_kafka import Consumer

from infra.embedded.ports import choose
from pipeline.errors import BrokerUnavailable
from pipeline.settings import Settings
from pipeline.stream.publish import KafkaPublisher, MemoryPublisher, Outgoing, Publisher

TOPIC = "profiles.updates"
Read = Callable[[int], Sequence[tuple[bytes, bytes | None]]]


@pytest.fixture(params=["memory", "kafka"])
def port(request: pytest.FixtureRequest) -> Iterator[tuple[Publisher, Read]]:
    """A publisher, and what consumers of TOPIC read of it."""
    if request.param == "memory":
        memory = MemoryPublisher()
        yield memory, lambda _count: [(m.key, m.value) for m in memory.log]
        return
    settings: Settings = request.getfixturevalue("house")
    publisher = KafkaPublisher(settings, "test", threading.Event().is_set)
    yield publisher, lambda count: _consumed(settings, count)
    publisher.close()


def _consumed(settings: Settings, count: int) -> list[tuple[bytes, bytes | None]]:
    config = {"group.id": settings.topic("reader"), "auto.offset.reset": "earliest"}
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, **config})
    consumer.subscribe([settings.topic(TOPIC)])
    found = []
    for _ in range(100):
        found += [(m.key() or b"", m.value()) for m in consumer.consume(1_000, 0.2) if m.error() is None]
        if len(found) >= count:
            break
    consumer.close()
    return found


def test_everything_arrives_in_order_within_its_key(port: tuple[Publisher, Read]) -> None:
    publisher, read = port
    sent = [Outgoing(TOPIC, f"k{i % 7}".encode(), str(i).encode()) for i in range(2_000)]
    publisher.publish(sent[:1_000])
    publisher.publish(sent[1_000:])
    by_key = defaultdict(list)
    for key, value in read(2_000):
        by_key[key].append(value)
    assert by_key == {
        key: [m.value for m in sent if m.key == key] for key in (f"k{i}".encode() for i in range(7))
    }


def test_no_value_is_a_tombstone(port: tuple[Publisher, Read]) -> None:
    publisher, read = port
    publisher.publish([Outgoing(TOPIC, b"k", b"x"), Outgoing(TOPIC, b"k", None)])
    assert list(read(2)) == [(b"k", b"x"), (b"k", None)]


def test_nothing_to_publish_is_done(port: tuple[Publisher, Read]) -> None:
    port[0].publish([])


def _away(kind: str) -> Publisher:
    if kind == "memory":
        memory = MemoryPublisher()
        memory.away = True
        return memory
    nobody = choose({"nobody": 0})["nobody"]
    settings = Settings(kafka_bootstrap=f"127.0.0.1:{nobody}", produce_timeout_ms=300)
    return KafkaPublisher(settings, "test", threading.Event().is_set)


@pytest.mark.parametrize("kind", ["memory", "kafka"])
def test_a_broker_that_is_away_is_an_error_each_time(kind: str) -> None:
    publisher = _away(kind)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable):
            publisher.publish([Outgoing(TOPIC, b"k", b"x")])
    publisher.close()


def test_a_topic_that_is_refused_is_an_error(house: Settings) -> None:
    publisher = KafkaPublisher(house, "test", threading.Event().is_set)
    with pytest.raises(BrokerUnavailable):
        publisher.publish([Outgoing("no such topic!", b"k", b"x")])
    publisher.publish([Outgoing(TOPIC, b"k", b"x")])
    publisher.close()
