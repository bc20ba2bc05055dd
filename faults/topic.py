"""A topic read from its beginning to where it ended when reading began."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.errors import BrokerUnavailable
from pipeline.settings import Settings
from pipeline.stream.kafka import client_config

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
    with closing(_client(settings)) as consumer:
        try:
            bounds = _bounds(consumer, settings.topic(name))
            left = {n: high for n, (low, high) in bounds.items() if low < high}
            consumer.assign([TopicPartition(settings.topic(name), n, bounds[n][0]) for n in left])
            yield from _until(consumer, left)
        except KafkaException as exc:
            raise BrokerUnavailable(str(exc)) from exc


def ends_of(settings: Settings, name: str) -> dict[int, int]:
    """Behind which offset each partition of a topic of schemas/topics.yaml ends now. Raises BrokerUnavailable."""
    with closing(_client(settings)) as consumer:
        try:
            return {n: high for n, (_, high) in _bounds(consumer, settings.topic(name)).items()}
        except KafkaException as exc:
            raise BrokerUnavailable(str(exc)) from exc


def _client(settings: Settings) -> Consumer:
    """A client of its own: how the pipeline reads is part of what is being checked."""
    return Consumer(
        {
            **client_config(settings, "checker"),
            "group.id": settings.topic("faults"),  # needed, and never joined: partitions are assigned
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }
    )


def _bounds(consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
    """Where each partition begins, and behind which offset it ends now."""
    metadata = consumer.list_topics(topic, timeout=_PATIENCE_S).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return {
        n: consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=_PATIENCE_S)
        for n in sorted(metadata.partitions)
    }


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
