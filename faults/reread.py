"""Sets positions back, so that messages come again, as an operator would."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing, suppress
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from bench.house import House
from faults.plan import Strike
from infra.supervisor import kind
from pipeline.errors import RetryLater
from pipeline.settings import Settings
from pipeline.store.database import Database


def set_back(house: House, one: Strike, patience_s: float) -> str:
    """Set every position of the target back by `amount` messages, and kill all that read by them.

    A stage has `lasting_s` to notice by itself, fenced at its next batch; idle, it reads again as it starts. The cache
    overwrites what it does not expect, so that it is set back while it is down. Returns why it did not happen.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            if one.target == "cache":
                _kill(house, one.target)
                _set_back_cache(house.settings, one.amount)
            else:
                _set_back_stage(house.settings, one.target, one.amount)
                time.sleep(one.lasting_s)
                _kill(house, one.target)
            return ""
        except (RetryLater, RedisError) as exc:
            if time.monotonic() > deadline:
                return str(exc)
            time.sleep(0.1)


def _set_back_stage(settings: Settings, stage: str, amount: int) -> None:
    with (
        Database(settings.postgres_dsn.get_secret_value(), "faults") as database,
        database.transaction() as tx,
    ):
        tx.run("faults_set_back", (amount, stage))


def _set_back_cache(settings: Settings, amount: int) -> None:
    key = f"rb:position:{settings.topic('cache')}"
    with closing(Redis.from_url(settings.redis_url, decode_responses=True)) as redis:
        stands = cast(dict[str, str], redis.hgetall(key))
        if stands:
            redis.hset(key, mapping={place: max(0, int(at) - amount) for place, at in stands.items()})


def _kill(house: House, target: str) -> None:
    for name, pid in house.pids().items():
        if kind(name) == target:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
