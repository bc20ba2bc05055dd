"""Sends to Kafka from asyncio: an await ends only when the broker has acknowledged every message."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline import metrics
from pipeline.errors import BrokerUnavailable
from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.stream.kafka import producer, producer_config, unavailable

_FULL_PAUSE_S = 0.01
_POLL_S = 0.1


class Sender(Protocol):
    """Takes messages for one topic."""

    async def send(self, values: Sequence[bytes]) -> None:
        """Returns once every message is acknowledged. Raises BrokerUnavailable where one is not.

        After BrokerUnavailable some of them may have been stored: send them again under the same event ids.
        """

    def check(self) -> None:
        """Raises BrokerUnavailable where the broker does not answer. Blocks: call it in a thread."""


class MemorySender:
    """Keeps what was sent in `sent`; fails while `available` is False."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.available = True

    async def send(self, values: Sequence[bytes]) -> None:
        """Keep the messages."""
        self.check()
        self.sent.extend(values)

    def check(self) -> None:
        """Fails while not available."""
        if not self.available:
            raise BrokerUnavailable("the broker is away")


class _Delivery:
    """Counts down the acknowledgements of one call of `send`.

    Reports come on the poll thread, messages are produced on the event loop: the lock guards the counts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._produced: int | None = None
        self._reported = 0
        self._error: KafkaError | None = None
        self.done: asyncio.Future[KafkaError | None] = loop.create_future()

    def report(self, error: KafkaError | None, _: Message) -> None:
        with self._lock:
            self._reported += 1
            self._error = error if self._error is None else self._error
            complete = self._reported == self._produced
        if complete:
            self._finish()

    def produced(self, count: int) -> None:
        """No more messages follow."""
        with self._lock:
            self._produced = count
            complete = self._reported == count
        if complete:
            self._finish()

    def _finish(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._resolve)
        except RuntimeError:  # the loop is closed: nobody waits any more
            get_logger().warning("delivery report after the end", failed=self._error is not None)

    def _resolve(self) -> None:
        if not self.done.done():
            self.done.set_result(self._error)


class KafkaSender:
    """One idempotent producer with its own poll thread. `close` when done."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = settings.topic(topic)
        self._timeout_s = settings.produce_timeout_ms / 1000
        self._config = producer_config(settings, "gateway")
        self._producer = producer(self._config)
        self._stop = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="producer", daemon=True)
        self._poller.start()

    async def send(self, values: Sequence[bytes]) -> None:
        """Returns once every message is acknowledged. Raises BrokerUnavailable where one is not."""
        started = time.monotonic()
        delivery = _Delivery(asyncio.get_running_loop())
        client = self._producer
        count = 0
        try:
            for value in values:
                await self._produce(client, value, delivery, started + self._timeout_s)
                count += 1
        finally:
            delivery.produced(count)
        error = await delivery.done
        metrics.PRODUCE_SECONDS.observe(time.monotonic() - started)
        if error is not None:
            if error.fatal():
                self._renew(client)
            raise unavailable(error)

    async def _produce(self, client: Producer, value: bytes, delivery: _Delivery, deadline: float) -> None:
        while True:
            try:
                client.produce(self._topic, value, on_delivery=delivery.report)
                return
            except BufferError:
                if time.monotonic() > deadline:
                    raise BrokerUnavailable("the send buffer is full") from None
                await asyncio.sleep(_FULL_PAUSE_S)
            except KafkaException as exc:
                error = exc.args[0]
                if error.fatal():
                    self._renew(client)
                raise unavailable(error) from exc

    def _renew(self, failed: Producer) -> None:
        """A fatal error (idempotence was lost) ends a producer for good: go on with a fresh one."""
        if self._producer is failed:
            get_logger().error("producer failed for good and is replaced")
            self._producer = producer(self._config)

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(_POLL_S)

    def check(self) -> None:
        """Raises BrokerUnavailable where the broker does not answer within a second."""
        try:
            self._producer.list_topics(self._topic, timeout=1.0)
        except KafkaException as exc:
            raise unavailable(exc.args[0]) from exc

    def close(self) -> None:
        """Wait for what is in flight, then end the poll thread."""
        self._producer.flush(self._timeout_s)
        self._stop.set()
        self._poller.join()
