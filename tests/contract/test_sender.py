"""One suite for both senders: the one in memory and the one to Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient

from gateway.producer import KafkaSender, MemorySender, Sender
from pipeline.errors import BrokerUnavailable
from pipeline.settings import Settings


@pytest.fixture(params=["memory", "kafka"])
def sender(request: pytest.FixtureRequest) -> Iterator[Sender]:
    if request.param == "memory":
        yield MemorySender()
        return
    kafka = KafkaSender(request.getfixturevalue("house"), "events.raw")
    yield kafka
    kafka.close()


def away(kind: str) -> Sender:
    if kind == "memory":
        memory = MemorySender()
        memory.available = False
        return memory
    values = {"kafka_bootstrap": "127.0.0.1:1", "produce_timeout_ms": 300}
    return KafkaSender(Settings.model_validate(values), "events.raw")


async def test_sends_of_any_size_are_acknowledged(sender: Sender) -> None:
    await sender.send([])
    await sender.send([b"one"])
    await asyncio.gather(*(sender.send([b"x" * 100] * n) for n in range(0, 500, 50)))
    sender.check()


@pytest.mark.parametrize("kind", ["memory", "kafka"])
async def test_what_is_not_acknowledged_is_an_error(kind: str) -> None:
    sender = away(kind)
    with pytest.raises(BrokerUnavailable):
        await sender.send([b"one", b"two"])
    with pytest.raises(BrokerUnavailable):
        sender.check()


async def test_all_of_it_is_on_the_topic(house: Settings) -> None:
    sender = KafkaSender(house, "events.raw")
    await sender.send([b"x"] * 1_234)
    sender.close()
    topic = house.topic("events.raw")
    admin = AdminClient({"bootstrap.servers": house.kafka_bootstrap})
    assert _count(admin, topic) == 1_234


def _count(admin: AdminClient, topic: str) -> int:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import OffsetSpec

    partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions
    wanted = {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions}
    return sum(f.result().offset for f in admin.list_offsets(wanted).values())
