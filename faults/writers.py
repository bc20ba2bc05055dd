"""Writers of a round, and the history of what they were told is safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from bench.load import GatewaySender, Load, TopicSender, prepare
from bench.workload import Event
from cli.client import GatewayClient
from faults.plan import Round
from pipeline.errors import BrokerUnavailable, GatewayUnavailable
from pipeline.settings import Settings
from pipeline.stream.kafka import producer, producer_config
from schemas.codec import load_codec

_PATIENCE_S = 90.0
_LOAD = (1, 25)  # events


class History:
    """Ids of the events that were acknowledged, and how many loads were given up. Used by several threads."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.given_up = 0
        self._writing = threading.Lock()

    def acknowledge(self, load: Load) -> None:
        """The sender of the load was told that it is safe."""
        with self._writing:
            self.acknowledged.update(map(str, load.ids))

    def give_up(self) -> None:
        """Nobody knows whether a load is safe."""
        with self._writing:
            self.given_up += 1


class Writer(Protocol):
    """A way in that returns once a load is acknowledged."""

    def encode(self, events: Sequence[Event]) -> tuple[bytes, ...]: ...

    def send(self, load: Load) -> None: ...


class TopicWriter(TopicSender):
    """To events.raw; every message has to be reported as delivered."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, load_codec(settings))
        self._raw = settings.topic("events.raw")
        self._client = producer(producer_config(settings))

    def send(self, load: Load) -> None:
        delivered = 0

        def report(error: object, _: object) -> None:
            nonlocal delivered
            delivered += error is None

        for message in load.messages:
            self._client.produce(self._raw, message, on_delivery=report)
        self._client.flush(_PATIENCE_S)
        if delivered < len(load.messages):
            raise BrokerUnavailable(f"{len(load.messages) - delivered} messages were not delivered")


def write(
    events: Sequence[Event], plan: Round, settings: Settings, url: str, api_key: str, history: History
) -> list[threading.Thread]:
    """Start the writers of a round, each with its share of the events, spread over the time of the load."""
    shares = plan.gateway_writers + plan.topic_writers
    threads = []
    for n in range(shares):
        mine = events[n::shares]

        def run(mine: Sequence[Event] = mine, n: int = n) -> None:
            if n < plan.topic_writers:
                _send_all(mine, TopicWriter(settings), plan, Random(f"{plan}:{n}"), history)
            else:
                with GatewayClient(url, api_key, patience_s=_PATIENCE_S) as client:
                    _send_all(mine, GatewaySender(client), plan, Random(f"{plan}:{n}"), history)

        threads.append(threading.Thread(target=run, name=f"writer-{n}"))
    for thread in threads:
        thread.start()
    return threads


def _send_all(
    events: Sequence[Event],
    writer: Writer,
    plan: Round,
    draw: Random,
    history: History,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    started, sent = clock(), 0
    while sent < len(events):
        due = started + plan.load_s * sent / len(events)
        time.sleep(max(0.0, due - clock()))
        chunk = events[sent : sent + draw.randint(*_LOAD)]
        sent += len(chunk)
        (load,) = prepare(chunk, len(chunk), writer)
        for _ in range(2 if draw.random() < plan.repeat else 1):
            try:
                writer.send(load)
            except (BrokerUnavailable, GatewayUnavailable):
                history.give_up()
            else:
                history.acknowledge(load)
