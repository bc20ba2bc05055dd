"""A house comes to rest: everything runs again, and everything sent has gone all its way."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bench.house import House
from faults.topic import ends_of
from pipeline.errors import PipelineStalled, RetryLater
from pipeline.settings import Settings
from pipeline.store.database import Database

_STEPS = (("normalize", "events.raw"), ("resolve", "events.normalized"))
_LOOK_S, _STEADY_S = 0.3, 1.0


def come_to_rest(house: House, database: Database, timeout_s: float) -> None:
    """Wait until every process runs, both stages have read their topics to the end, and the outbox is empty.

    That has to be so at two looks with the same processes: one that dies as it starts again and again runs at many a
    look. Raises PipelineStalled, naming what is left, after so many seconds.
    """
    deadline = time.monotonic() + timeout_s
    before: Mapping[str, int] = {}
    while (problem := _problem(house, database)) or house.pids() != before:
        if time.monotonic() > deadline:
            left = problem or "processes come and go"
            raise PipelineStalled(f"the house does not come to rest in {timeout_s:.0f} s: {left}")
        before = {} if problem else house.pids()
        time.sleep(_LOOK_S if problem else _STEADY_S)


def _problem(house: House, database: Database) -> str:
    try:
        return " ".join(sorted(house.missing())) or behind(house.settings, database)
    except RetryLater as exc:
        return str(exc)


def behind(settings: Settings, database: Database) -> str:
    """What the stages and the relay have still to do; empty where it is nothing. Raises StoreUnavailable,
    BrokerUnavailable."""
    with database.transaction() as tx:
        stands = {(stage, topic, n): at for stage, topic, n, at in tx.rows("faults_positions")}
        waiting = (tx.row("faults_outbox") or (0,))[0]
    behind = [
        f"{stage} {topic} [{n}] at {stands.get((stage, topic, n), 0)} of {end}"
        for stage, name in _STEPS
        for topic in (settings.topic(name),)
        for n, end in ends_of(settings, name).items()
        if stands.get((stage, topic, n), 0) < end
    ]
    return "; ".join([*behind, *([f"{waiting} messages in the outbox"] if waiting else [])])
