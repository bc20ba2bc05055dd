"""Writers of a round, and the history of what they were told is safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from bench.load import GatewaySender, Load, Sender, TopicSender, prepare
from bench.workload import Event
from client import RetailBrain
from faults.acts import Act
from faults.plan import Round
from pipeline.errors import BrokerUnavailable, GatewayUnavailable
from pipeline.settings import Settings
from schemas.codec import load_codec

_PATIENCE_S = 90
_LOAD = (1, 25)  # events


class History:
    """What those who sent and acted were told. Used by several threads.

    `acknowledged` are ids of events, `given_up` counts loads without an answer; `acts` are those of stewards that are
    done, `refused` those that something stood against, `broken` answers that should not be.
    """

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.given_up = 0
        self.acts: list[Act] = []
        self.refused: list[str] = []
        self.broken: list[str] = []
        self._writing = threading.Lock()

    def acknowledge(self, load: Load) -> None:
        """The sender of the load was told that it is safe."""
        with self._writing:
            self.acknowledged.update(map(str, load.ids))

    def give_up(self) -> None:
        """Nobody knows whether a load is safe."""
        with self._writing:
            self.given_up += 1


def writers(
    events: Sequence[Event], plan: Round, settings: Settings, url: str, api_key: str, history: History
) -> list[Callable[[], None]]:
    """The writers of a round, to be run at a time: each sends its share of the events over the time of the load."""
    patient = settings.model_copy(update={"produce_timeout_ms": _PATIENCE_S * 1_000})
    shares = plan.gateway_writers + plan.topic_writers

    def run(n: int) -> None:
        send_all = partial(_send_all, events[n::shares], plan, Random(f"{plan}:{n}"), history)
        if n < plan.topic_writers:
            send_all(TopicSender(patient, load_codec(settings)))
        else:
            with RetailBrain(url, api_key, patience_s=_PATIENCE_S) as client:
                send_all(GatewaySender(client))

    return [partial(run, n) for n in range(shares)]


def _send_all(events: Sequence[Event], plan: Round, draw: Random, history: History, sender: Sender) -> None:
    started, sent = time.monotonic(), 0
    while sent < len(events):
        time.sleep(max(0.0, started + plan.load_s * sent / len(events) - time.monotonic()))
        chunk = events[sent : sent + draw.randint(*_LOAD)]
        sent += len(chunk)
        (load,) = prepare(chunk, len(chunk), sender)
        for _ in range(2 if draw.random() < plan.repeat else 1):
            try:
                sender.send(load)
            except (BrokerUnavailable, GatewayUnavailable):
                history.give_up()
            else:
                history.acknowledge(load)
