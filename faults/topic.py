"""A topic read from its beginning to where it ended when reading began."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.errors import BrokerUnavailable
from pipeline.settings import Settings

_PATIENCE_S = 30.0


class Read(NamedTuple):
    """A message; no value is a tombstone."""

    partition: int
    offset: int
    key: str
    value: bytes | None


def read_topic(settings: Settings, name: str) -> Iterator[Read]:
    """Every message of a topic of schemas/topics.yaml; those of a partition are in their order.

    Raises BrokerUnavailable where the broker says nothing for 30 s.
    """
    # by a client of its own: how the pipeline reads is part of what is being checked
    config = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "group.id": settings.topic("faults"),  # needed, and never joined: partitions are assigned
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
    }
    with closing(Consumer(config)) as consumer:
        try:
            starts, ends = _bounds(consumer, settings.topic(name))
            consumer.assign(starts)
            yield from _until(consumer, ends)
        except KafkaException as exc:
            raise BrokerUnavailable(str(exc)) from exc


def _bounds(consumer: Consumer, topic: str) -> tuple[list[TopicPartition], dict[int, int]]:
    """Where the partitions begin, and behind which offset each ends now; those that are empty are left out."""
    metadata = consumer.list_topics(topic, timeout=_PATIENCE_S).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    starts, ends = [], {}
    for partition in sorted(metadata.partitions):
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_PATIENCE_S)
        if low < high:
            starts.append(TopicPartition(topic, partition, low))
            ends[partition] = high
    return starts, ends


def _until(consumer: Consumer, ends: dict[int, int]) -> Iterator[Read]:
    deadline = time.monotonic() + _PATIENCE_S
    while ends:
        for message in consumer.consume(1_000, timeout=0.1):
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                if error.fatal():
                    raise KafkaException(error)
                continue
            deadline = time.monotonic() + _PATIENCE_S
            # that none of them is missing holds of everything that was in a log, and of where it ends
            partition, offset = cast(int, message.partition()), cast(int, message.offset())
            if partition not in ends:
                continue
            if error is None and offset < ends[partition]:
                yield Read(partition, offset, (message.key() or b"").decode(), message.value())
            if error is not None or offset >= ends[partition] - 1:  # compaction may have removed the last one
                del ends[partition]
        if time.monotonic() > deadline:
            raise BrokerUnavailable(f"no end of partitions {sorted(ends)} comes")
