"""A writer at the gateway, who sends until told otherwise."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import httpx

from bench.workload import Event, Workload
from faults.people import Doubtful, mixed

BATCH = 20
_PAUSE_S = 0.1


class Sending:
    """Batches of events one after the other, each again until it is accepted, as a client does that loses nothing.

    `accepted` are the ids of events whose sender was told that they are safe, `answers` counts by status;
    `unexpected` is what no client should be told.
    """

    def __init__(self, client: httpx.Client, seed: int) -> None:
        self.accepted: set[str] = set()
        self.answers: Counter[int] = Counter()
        self.unexpected: list[str] = []
        self._client = client
        self._events = _events(seed)
        self._stop = threading.Event()

    def run(self) -> None:
        """Until `stop`; what nobody accepted by then counts for nothing."""
        while not self._stop.is_set():
            batch = [next(self._events) for _ in range(BATCH)]
            while not self._taken(batch) and not self._stop.is_set():
                time.sleep(_PAUSE_S)
            time.sleep(_PAUSE_S)  # a load that leaves the processor to those who work on it

    def _taken(self, batch: list[Event]) -> bool:
        answer = self._client.post("/v1/events:batch", json={"events": batch})
        self.answers[answer.status_code] += 1
        if answer.status_code == httpx.codes.ACCEPTED and answer.json()["refused"] == 0:
            self.accepted.update(str(event["event_id"]) for event in batch)
            return True
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or "Retry-After" not in answer.headers:
            self.unexpected.append(f"{answer.status_code}: {answer.text[:300]}")
        return False

    def stop(self) -> None:
        """Once the batch in hand is answered."""
        self._stop.set()


@contextmanager
def sending(client: httpx.Client, seed: int) -> Iterator[Sending]:
    """A writer on a thread of its own, until the block ends."""
    writer = Sending(client, seed)
    thread = threading.Thread(target=writer.run, name="writer")
    thread.start()
    try:
        yield writer
    finally:
        writer.stop()
        thread.join()


def _events(seed: int) -> Iterator[Event]:
    """Customers who come back, change, turn out to be one, or are doubtful: without end."""
    workload, doubtful = Workload(seed), Doubtful(f"{seed}")
    yield from workload.warm_up(BATCH)
    for turn in range(10**9):
        yield from mixed(Random(f"{seed}: {turn}"), list(workload.measured(60)), doubtful.events(3))
