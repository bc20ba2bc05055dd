"""Sends to Kafka from asyncio: an await ends only when the broker has acknowledged every message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline import metrics
from pipeline.errors import BrokerUnavailable
from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.stream.kafka import finish, producer, producer_config, unavailable

_FULL_PAUSE_S = 0.01
_BUSY_S = 0.001
"""How often reports are read while something is in flight: as long as a sender waits for its answer at most."""
_GATHER_MS = 1
"""How long an event waits for others: senders one behind the other wait for each of them in turn."""
_IDLE_S = 0.5
_GRACE_S = 1.0


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
    """Counts down the acknowledgements of one call of `send`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._open = 1  # the call itself, until it has produced all
        self._error: KafkaError | None = None
        self.done: asyncio.Future[KafkaError | None] = loop.create_future()

    def begin(self) -> None:
        """One more message is produced."""
        self._open += 1

    def report(self, error: KafkaError | None, _: Message | None = None) -> None:
        """A message, or the call of `send`, is done with."""
        self._open -= 1
        if self._error is None:
            self._error = error
        if not self._open and not self.done.done():
            self.done.set_result(self._error)


class KafkaSender:
    """One idempotent producer, served by the event loop of its callers. `close` when done.

    A thread that waits for reports takes the interpreter's lock anew for each of them, in the middle of the loop's
    work: that was a tenth of the gateway's time.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = settings.topic(topic)
        self._timeout_s = settings.produce_timeout_ms / 1000
        self._config = producer_config(settings, "gateway") | {"linger.ms": _GATHER_MS}
        self._producer = producer(self._config)
        self._serving: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Serve the producer's reports on the running loop; `send` begins with it."""
        loop = asyncio.get_running_loop()
        if self._serving is None or self._serving.done() or self._serving.get_loop() is not loop:
            self._wake = asyncio.Event()
            self._serving = loop.create_task(self._serve(self._wake), name="producer")

    async def _serve(self, wake: asyncio.Event) -> None:
        """Read reports every millisecond while something is in flight, else now and then the library's log."""
        while True:
            self._producer.poll(0)
            if len(self._producer):
                await asyncio.sleep(_BUSY_S)
                continue
            wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), _IDLE_S)

    async def send(self, values: Sequence[bytes]) -> None:
        """Returns once every message is acknowledged. Raises BrokerUnavailable where one is not."""
        started = time.monotonic()
        self.start()
        delivery = _Delivery(asyncio.get_running_loop())
        client = self._producer
        for value in values:
            await self._produce(client, value, delivery, started + self._timeout_s)
        delivery.report(None)
        self._wake.set()
        try:
            # each message fails by itself in time; no wait is for ever all the same
            async with asyncio.timeout(self._timeout_s + _GRACE_S):
                error = await delivery.done
        except TimeoutError:
            raise unavailable(None) from None
        metrics.PRODUCE_SECONDS.observe(time.monotonic() - started)
        if error is not None:
            if error.fatal():
                self._renew(client)
            raise unavailable(error)

    async def _produce(self, client: Producer, value: bytes, delivery: _Delivery, deadline: float) -> None:
        while True:
            try:
                client.produce(self._topic, value, on_delivery=delivery.report)
                delivery.begin()
                return
            except BufferError:
                if time.monotonic() > deadline:
                    raise BrokerUnavailable("the send buffer is full") from None
                client.poll(0)
                await asyncio.sleep(_FULL_PAUSE_S)
            except KafkaException as exc:
                error = exc.args[0]
                if error.fatal():
                    self._renew(client)
                raise unavailable(error) from exc

    def _renew(self, failed: Producer) -> None:
        """A fatal error (idempotence was lost) ends a producer for good: go on with a fresh one.

        What is in flight in the failed one is reported as failed here, as nobody serves it any more. It is not closed:
        senders and a check may hold it still, and with the last of them it is gone.
        """
        if self._producer is failed:
            get_logger().error("producer failed for good and is replaced")
            self._producer = producer(self._config)
            failed.purge()
            failed.flush(_GRACE_S)

    def check(self) -> None:
        """Raises BrokerUnavailable where the broker does not answer within a second."""
        try:
            self._producer.list_topics(self._topic, timeout=1.0)
        except KafkaException as exc:
            raise unavailable(exc.args[0]) from exc

    def close(self) -> None:
        """Wait for what is in flight and let go of the broker; nothing may be sent or checked any more."""
        finish(self._producer, self._timeout_s)
