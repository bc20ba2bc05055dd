"""What becomes of those who wait for a producer that fails for good, or says nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError

from gateway import producer
from gateway.producer import KafkaSender
from pipeline.errors import BrokerUnavailable
from pipeline.settings import Settings

Report = Callable[[KafkaError | None, None], None]
LOST = KafkaError(KafkaError._FATAL, "idempotence was lost", fatal=True)
PURGED = KafkaError(KafkaError._PURGE_INFLIGHT)


class Client:
    """A producer that reports only what a test tells it to."""

    def __init__(self) -> None:
        self.waiting: deque[Report] = deque()
        self.due: deque[tuple[Report, KafkaError | None]] = deque()

    def produce(self, _topic: str, _value: bytes, on_delivery: Report) -> None:
        self.waiting.append(on_delivery)

    def fail_first(self, error: KafkaError) -> None:
        self.due.append((self.waiting.popleft(), error))

    def poll(self, _timeout: float) -> None:
        while self.due:
            report, error = self.due.popleft()
            report(error, None)

    def purge(self) -> None:
        self.due.extend((report, PURGED) for report in self.waiting)
        self.waiting.clear()

    def flush(self, timeout: float) -> None:
        self.poll(timeout)

    def close(self) -> None:
        assert not len(self)

    def __len__(self) -> int:
        return len(self.waiting) + len(self.due)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    made: list[Client] = []

    def make(_config: object) -> Client:
        made.append(Client())
        return made[-1]

    monkeypatch.setattr(producer, "producer", make)
    monkeypatch.setattr(producer, "_GRACE_S", 0.05)
    return made


def sender(timeout_ms: int) -> KafkaSender:
    return KafkaSender(Settings(produce_timeout_ms=timeout_ms), "events.raw")


async def test_a_fatal_error_lets_everybody_go_who_waits_for_the_failed_producer(
    clients: list[Client],
) -> None:
    """All of them get an error to answer 503 with, long before their time is over, and the next one a new producer."""
    kafka = sender(60_000)
    sends = [asyncio.create_task(kafka.send([b"x"] * n)) for n in (1, 3, 2)]
    await asyncio.sleep(0)
    clients[0].fail_first(LOST)
    async with asyncio.timeout(5):
        found = await asyncio.gather(*sends, return_exceptions=True)
    assert [type(error) for error in found] == [BrokerUnavailable] * 3
    again = asyncio.create_task(kafka.send([b"x"]))
    await asyncio.sleep(0)
    assert (len(clients), len(clients[0]), len(clients[1])) == (2, 0, 1)
    clients[1].due.append((clients[1].waiting.popleft(), None))
    async with asyncio.timeout(5):
        await again


async def test_silence_is_an_error_in_the_end(clients: list[Client]) -> None:
    kafka = sender(100)
    async with asyncio.timeout(5):
        with pytest.raises(BrokerUnavailable):
            await kafka.send([b"x"])
    clients[0].waiting.popleft()(None, None)  # too late, and nobody is harmed
