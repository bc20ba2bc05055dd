"""Publishing for those who must know that every message is safe before they go on: relay and normalize stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from pipeline import metrics
from pipeline.errors import BrokerUnavailable
from pipeline.settings import Settings
from pipeline.stream.kafka import finish, producer, producer_config, unavailable


class Outgoing(NamedTuple):
    """A message for a topic of schemas/topics.yaml; no value is a tombstone."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    def __repr__(self) -> str:
        """Without the value, which may be personal."""
        return f"Outgoing(topic={self.topic!r}, key={self.key!r})"


class Publisher(Protocol):
    """Publishes in order. tests/contract/test_publisher_ports.py holds every implementation to it."""

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Returns once every message is acknowledged; within a key they are in this order.

        Raises BrokerUnavailable: any of them may or may not be in the log, so publish all of them again.
        """

    def close(self) -> None:
        """Let go of the broker."""


class KafkaPublisher:
    """`Publisher` on an idempotent producer. Waits `produce_timeout_ms` at most, and no more once `stopping`."""

    def __init__(self, settings: Settings, client: str, stopping: Callable[[], bool]) -> None:
        # without a time limit of its own no message can fail alone and let a later one of its key overtake it:
        # when our patience ends, everything still queued is thrown away together
        self._config = producer_config(settings, client) | {
            "message.timeout.ms": 0,
            # what is no longer queued and was not reported is acknowledged: no call of ours a message for that
            "delivery.report.only.error": True,
            # `publish` flushes, which ends the wait: until then batches fill
            "linger.ms": 100,
        }
        self._topic = settings.topic
        self._patience_s = settings.produce_timeout_ms / 1_000
        self._stopping = stopping
        self._producer: Producer | None = None
        self._error: KafkaError | None = None

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """See `Publisher`."""
        self._error = None
        deadline = time.monotonic() + self._patience_s
        if self._producer is None:
            self._producer = producer(self._config)
        try:
            for message in messages:
                self._produce(self._producer, message, deadline)
            while len(self._producer) > 0 and self._error is None:
                self._wait(self._producer, deadline)
        except BrokerUnavailable:
            self._give_up()
            raise
        if self._error is not None:
            self._give_up()
            raise unavailable(self._error)
        counts: dict[str, int] = {}
        for message in messages:
            counts[message.topic] = counts.get(message.topic, 0) + 1
        for topic, count in counts.items():
            metrics.PUBLISHED.labels(topic).inc(count)

    def _produce(self, client: Producer, message: Outgoing, deadline: float) -> None:
        topic = self._topic(message.topic)
        while True:
            try:
                # few have any, and an empty list is not free
                headers: list[tuple[str, str | bytes | None]] | None = list(message.headers) or None
                client.produce(topic, message.value, message.key, on_delivery=self._failed, headers=headers)
                return
            except BufferError:
                self._wait(client, deadline)
            except KafkaException as exc:
                raise BrokerUnavailable(str(exc)) from exc

    def _failed(self, error: KafkaError | None, _message: KafkaMessage) -> None:
        if self._error is None:
            self._error = error

    def _wait(self, client: Producer, deadline: float) -> None:
        """Let acknowledgements come in for a moment. Raises BrokerUnavailable at the deadline or when stopping."""
        client.flush(0.1)
        if len(client) > 0 and (time.monotonic() >= deadline or self._stopping()):
            raise unavailable(self._error)

    def _give_up(self) -> None:
        """A fresh producer next time: what is left in this one must not be sent after what comes next."""
        if self._producer is not None:
            finish(self._producer)
            self._producer = None

    def close(self) -> None:
        """See `Publisher`."""
        self._give_up()


class MemoryPublisher:
    """`Publisher` in memory: `log` is what consumers would read; while `away` the broker acknowledges nothing."""

    def __init__(self) -> None:
        self.log: list[Outgoing] = []
        self.away = False

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """See `Publisher`."""
        if self.away:
            raise BrokerUnavailable("no acknowledgement in time")
        self.log += messages

    def close(self) -> None:
        """See `Publisher`."""
