"""A house comes to rest: everything runs again, and everything sent has gone all its way."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from bench.house import House
from pipeline.errors import BrokerUnavailable, PipelineStalled, RetryLater
from pipeline.settings import Settings
from pipeline.store.database import Database

_STEPS = (("normalize", "events.raw"), ("resolve", "events.normalized"))
_LOOK_S = 0.3


def come_to_rest(house: House, database: Database, timeout_s: float) -> None:
    """Wait until every process runs, both stages have read their topics to the end, and the outbox is empty.

    Raises PipelineStalled, naming what is left, after so many seconds.
    """
    deadline = time.monotonic() + timeout_s
    for left in (lambda: _down(house), lambda: _behind(house.settings, database)):
        while problem := _problem(left):
            if time.monotonic() > deadline:
                raise PipelineStalled(f"the house does not come to rest in {timeout_s:.0f} s: {problem}")
            time.sleep(_LOOK_S)


def _problem(left: Callable[[], str]) -> str:
    try:
        return left()
    except (RetryLater, KafkaException) as exc:
        return str(exc)


def _down(house: House) -> str:
    return " ".join(sorted(house.missing()))


def _behind(settings: Settings, database: Database) -> str:
    with database.transaction() as tx:
        stands = {(stage, topic, n): at for stage, topic, n, at in tx.rows("faults_positions")}
        waiting = (tx.row("faults_outbox") or (0,))[0]
    behind = [
        f"{stage} {topic} [{n}] at {stands.get((stage, topic, n), 0)} of {end}"
        for stage, name in _STEPS
        for topic in (settings.topic(name),)
        for n, end in _ends(settings, topic).items()
        if stands.get((stage, topic, n), 0) < end
    ]
    return "; ".join([*behind, *([f"{waiting} messages in the outbox"] if waiting else [])])


def _ends(settings: Settings, topic: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": settings.topic("faults")})
    try:
        found = consumer.list_topics(topic, timeout=5).topics[topic]
        if found.error is not None:
            raise BrokerUnavailable(str(found.error))
        return {
            n: consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=5)[1]
            for n in found.partitions
        }
    finally:
        consumer.close()
