"""A Kafka source whose positions live in Redis beside the effects: a Redis that lost both is filled again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from consumers.redis_port import Positions
from pipeline import metrics
from pipeline.errors import BrokerUnavailable, RetryLater
from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.stream.backoff import Backoff
from pipeline.stream.batch import Batch, Message, Place, batch_of
from pipeline.stream.kafka import Config, ConsumerErrors, consumer, consumer_config
from pipeline.stream.source import message_of

_BATCH_BYTES = 8 * 2**20
_CHUNK = 100
_IDLE_S = 0.25
_LINGER_OVER_WORK = 4
_REPORT_S = 1.0
_PATIENCE_S = 15.0
# a projection may be half a second behind, and is fetched for in bulk
_IN_BULK: Config = {"fetch.min.bytes": 262_144, "fetch.wait.max.ms": 500}


@dataclass(slots=True, eq=False)
class _Held:
    """A partition from assignment to revocation; `position` is the offset read next, None for the beginning."""

    position: int | None


class RedisSource:
    """`pipeline.stream.source.Source` on the consumer group `name`, over several topics.

    A partition starts at the lower of two positions, Redis' own and the group's committed offset; a missing one is
    the beginning. So a Redis that lost its data and a group that was reset both lead to a replay.
    """

    def __init__(
        self,
        name: str,
        topics: Sequence[str],
        settings: Settings,
        positions: Positions,
        stop: threading.Event,
    ) -> None:
        self._name = name
        self._settings = settings
        self._positions = positions
        self._stop = stop
        self._held: dict[Place, _Held] = {}
        self._collected: dict[Place, _Held] = {}
        self._hand: list[Message] = []
        self._paused = False
        self._handed_over = time.monotonic()
        self._reported = 0.0
        self._unreported = False
        self._errors = ConsumerErrors()
        self._incremental = settings.kafka_group_protocol == "consumer"
        self._consumer: Consumer = consumer(consumer_config(settings, name) | _IN_BULK)
        self._consumer.subscribe(
            [settings.topic(topic) for topic in topics],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────

    def collect(self) -> tuple[Message, ...]:
        """Up to `batch_max_events` or 8 MiB.

        After the first message it waits for `_LINGER_OVER_WORK` times what the last batch took, within
        `batch_linger_ms` and `batch_linger_max_ms`: quick at leisure, and cheap under load.
        """
        least, most = self._settings.batch_linger_ms / 1_000, self._settings.batch_linger_max_ms / 1_000
        worked = _LINGER_OVER_WORK * (time.monotonic() - self._handed_over)
        linger = min(max(least, worked), max(least, most))
        size = self._read(1, 0.0 if self._hand else _IDLE_S)
        deadline = time.monotonic() + linger
        while self._hand and size < _BATCH_BYTES:
            wanted = min(_CHUNK, self._settings.batch_max_events - len(self._hand))
            if wanted <= 0 or time.monotonic() >= deadline:
                break
            size += self._read(wanted, max(0.0, deadline - time.monotonic()))
        self._report_now_and_then()
        messages, self._hand = tuple(self._hand), []
        self._collected = dict(self._held)
        self._handed_over = time.monotonic()
        return messages

    def _read(self, count: int, seconds: float) -> int:
        """Take messages into the hand; rebalances happen in here. Returns their bytes."""
        read = [message_of(m) for m in self._consumer.consume(count, seconds) if self._is_message(m)]
        self._hand += [m for m in read if (m.topic, m.partition) in self._held]
        return sum(len(m.value) for m in read if m.value)

    def _is_message(self, message: KafkaMessage) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._out_of_range(str(message.topic()), int(message.partition() or 0))
        else:
            self._errors.meet(error)
        return False

    def _out_of_range(self, topic: str, partition: int) -> None:
        """The position is not in the log: messages expired unread, or the topic is a new one."""
        held = self._held.get((topic, partition))
        if held is None:
            return
        get_logger().error(
            "the position is not in the log: messages expired before they were read, or the topic is a new one; "
            "reading from the earliest",
            consumer=self._name,
            topic=topic,
            partition=partition,
            position=held.position,
        )
        metrics.POSITIONS_LOST.labels(self._name, topic).inc()
        held.position = None
        self._seek((topic, partition), held)

    def batch(self, messages: Iterable[Message]) -> Batch:
        """Those messages whose partitions were held without a break since they were collected."""
        held = {place: h.position for place, h in self._held.items() if self._collected.get(place) is h}
        return batch_of((m for m in messages if (m.topic, m.partition) in held), held)

    def done(self, batch: Batch) -> None:
        """The effects of a batch stand; the broker is told too, once a second."""
        for position in batch.positions:
            held = self._held.get((position.topic, position.partition))
            if held is not None:
                held.position = position.next
                self._unreported = True

    # ── waiting and leaving ───────────────────────────────────────────────────────────────────────────────

    def keep_alive(self, seconds: float) -> None:
        """Wait without reading, but stay a member of the group; returns early on stop."""
        self._paused = True
        self._consumer.pause([TopicPartition(*place) for place in self._held])
        deadline = time.monotonic() + seconds
        while not self._stop.is_set() and (left := deadline - time.monotonic()) > 0:
            self._read(1, min(left, 0.1))
        self._paused = False
        self._consumer.resume([TopicPartition(*place) for place in self._held])

    def rewind(self) -> None:
        """Read again from the positions in Redis. Raises CacheUnavailable, BrokerUnavailable."""
        stored = self._positions.load(list(self._held))
        self._hand.clear()
        self._held = {place: _Held(stored.get(place)) for place in self._held}
        for place, held in self._held.items():
            self._seek(place, held)

    def _seek(self, place: Place, held: _Held) -> None:
        offset = OFFSET_BEGINNING if held.position is None else held.position
        try:
            self._consumer.seek(TopicPartition(*place, offset))
        except KafkaException as exc:
            raise BrokerUnavailable("a partition cannot be read from its position yet") from exc

    def close(self) -> None:
        """Commit the group's offsets and leave it."""
        self._report(asynchronous=False)
        self._consumer.close()

    def _report_now_and_then(self) -> None:
        if self._unreported and time.monotonic() - self._reported >= _REPORT_S:
            self._report(asynchronous=True)

    def _report(self, *, asynchronous: bool) -> None:
        """Best effort: the group's offsets for lag tools, and lag as a metric. Redis holds what counts."""
        self._reported, self._unreported = time.monotonic(), False
        offsets = []
        for (topic, partition), held in self._held.items():
            if held.position is None:
                continue
            offsets.append(TopicPartition(topic, partition, held.position))
            marks = self._consumer.get_watermark_offsets(offsets[-1], cached=True)
            if marks is not None and marks[1] >= 0:
                lag = max(0, marks[1] - held.position)
                metrics.LAG_MESSAGES.labels(self._name, topic, partition).set(lag)
        try:
            if offsets and asynchronous:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            elif offsets:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as exc:
            get_logger().debug("the group's offsets were not committed", error=str(exc))

    # ── rebalances: called inside consume() and close() ───────────────────────────────────────────────────

    def _on_assign(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        places = [(p.topic, p.partition) for p in partitions]
        found = self._start(client, places)
        for partition, place in zip(partitions, places, strict=True):
            position = None if found is None else found.get(place)
            partition.offset = OFFSET_BEGINNING if position is None else position
        if self._incremental:
            client.incremental_assign(partitions)
        else:
            client.assign(partitions)
        if found is not None:  # otherwise we are stopping, and must not read what we could not place
            self._held |= {place: _Held(found.get(place)) for place in places}
        if self._paused or found is None:
            client.pause(partitions)
        get_logger().info("partitions assigned", consumer=self._name, partitions=sorted(places))

    def _start(self, client: Consumer, places: Sequence[Place]) -> dict[Place, int] | None:
        """Where to read from; waits for Redis and the coordinator. None where the process stops before."""
        backoff = Backoff(self._settings)
        while not self._stop.is_set():
            try:
                stored = self._positions.load(places)
                committed = client.committed([TopicPartition(*p) for p in places], timeout=_PATIENCE_S)
            except (RetryLater, KafkaException) as exc:
                get_logger().warning("waiting for positions", consumer=self._name, error=str(exc))
                self._stop.wait(backoff.next())
                continue
            return {
                (p.topic, p.partition): min(p.offset, stored[p.topic, p.partition])
                for p in committed
                if p.offset >= 0 and (p.topic, p.partition) in stored
            }
        return None

    def _on_revoke(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._report(asynchronous=False)
        self._drop(partitions)
        if self._incremental:
            client.incremental_unassign(partitions)
        else:
            client.unassign()

    def _on_lost(self, _client: Consumer, partitions: list[TopicPartition]) -> None:
        self._drop(partitions)
        get_logger().warning("partitions lost: this consumer was away too long", consumer=self._name)

    def _drop(self, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self._held.pop((partition.topic, partition.partition), None)
            metrics.forget_lag(self._name, partition.topic, partition.partition)
        self._hand = [m for m in self._hand if (m.topic, m.partition) in self._held]
