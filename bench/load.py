"""Load made ready before the clock starts, and the two ways to send it: as fast as it goes, and at a rate."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from confluent_kafka import KafkaError

from bench.workload import Event
from cli.arrivals import Arrivals
from client import RetailBrain, ask
from pipeline.errors import BadInput, BrokerUnavailable
from pipeline.events import Limits, parse_event, to_raw
from pipeline.identity.ids import Id
from pipeline.settings import Settings
from pipeline.stream.kafka import producer, producer_config
from schemas.codec import Codec

_LOOK_S = 0.5  # between two looks at what is committed: each takes processor time from what is measured


@dataclass(frozen=True, slots=True)
class Load:
    """One request's worth of events, encoded. `messages` are an HTTP body, or Avro messages one by one."""

    ids: tuple[Id, ...]
    messages: tuple[bytes, ...]


class Sender(Protocol):
    """A way in. `send` returns once the load is acknowledged; it is called by several threads."""

    def encode(self, events: Sequence[Event]) -> tuple[bytes, ...]:
        """The messages of a load."""

    def send(self, load: Load) -> None:
        """Deliver a load. Raises where any event of it is refused."""


class GatewaySender:
    """Through `POST /v1/events:batch`, as sources do."""

    def __init__(self, client: RetailBrain) -> None:
        self._client = client

    def encode(self, events: Sequence[Event]) -> tuple[bytes, ...]:
        return (ask.batch_body(events),)

    def send(self, load: Load) -> None:
        told = self._client.ask(ask.send_batch(load.messages[0]))
        for result in told.results:
            if result.error is not None:
                raise BadInput(f"event {result.index}", result.error.message)


class TopicSender:
    """Avro straight to events.raw, as upstream teams do; the broker's timestamp is when it was accepted."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._topic = settings.topic("events.raw")
        self._limits = Limits.of(settings)
        self._codec = codec
        self._timeout_s = settings.produce_timeout_ms / 1000
        self._producer = producer(producer_config(settings))

    def encode(self, events: Sequence[Event]) -> tuple[bytes, ...]:
        now = datetime.now(UTC)
        parsed = [(parse_event(e, self._limits, now), str(e["event_id"])) for e in events]
        return tuple(
            self._codec.encode("events.raw", to_raw(event, event_id, None, None, None))
            for event, event_id in parsed
        )

    def send(self, load: Load) -> None:
        failed: list[KafkaError] = []

        def report(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failed.append(error)

        for message in load.messages:
            self._producer.produce(self._topic, message, on_delivery=report)
        if self._producer.flush(self._timeout_s) or failed:
            raise BrokerUnavailable(f"{self._topic}: not acknowledged in {self._timeout_s:.0f} s")


def prepare(events: Iterable[Event], size: int, sender: Sender) -> list[Load]:
    """Encode everything beforehand, so that the generator takes little of the machine while it is measured."""
    source = iter(events)
    loads = []
    while chunk := list(islice(source, size)):
        loads.append(Load(tuple(Id.parse(str(e["event_id"])) for e in chunk), sender.encode(chunk)))
    return loads


def closed_loop(
    loads: Sequence[Load],
    sender: Sender,
    arrivals: Arrivals,
    *,
    connections: int,
    most_uncommitted: int,
    on_progress: Callable[[int], None],
) -> float:
    """As fast as it goes with at most `most_uncommitted` events sent and not committed; returns the seconds."""
    started = time.monotonic()
    sent = arrivals.committed
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(connections) as pool:
        for load in loads:
            while len(waiting) >= connections:
                waiting.popleft().result()
            while sent - arrivals.committed >= most_uncommitted:
                arrivals.poll()
                on_progress(arrivals.committed)
                time.sleep(_LOOK_S)
            waiting.append(pool.submit(sender.send, load))
            arrivals.expect(load.ids)
            sent += len(load.ids)
        for future in waiting:
            future.result()
        arrivals.wait(60, on_progress)
    return time.monotonic() - started


def open_loop(
    loads: Sequence[Load],
    sender: Sender,
    arrivals: Arrivals,
    *,
    connections: int,
    rate: float,
    on_progress: Callable[[int], None],
) -> float:
    """Each load at its own time, `rate` events a second, whatever became of those before.

    Returns the longest time in seconds that a load waited for a free connection: latency that the gateway's
    clock cannot see.
    """
    started = time.monotonic()
    late: list[float] = []

    def deliver(load: Load, due: float) -> None:
        late.append(time.monotonic() - due)
        sender.send(load)

    futures: list[Future[None]] = []
    due = started
    with ThreadPoolExecutor(connections) as pool:
        for load in loads:
            time.sleep(max(0.0, due - time.monotonic()))
            futures.append(pool.submit(deliver, load, due))
            arrivals.expect(load.ids)
            due += len(load.ids) / rate
            if len(futures) % 50 == 0:
                arrivals.poll()
                on_progress(arrivals.committed)
        for future in futures:
            future.result()
    arrivals.wait(60, on_progress)
    return max(late)
