"""Rate limits: a sliding window counter of one minute for each caller.

The count is that of the current minute plus the share of the previous one that still lies in the last 60 s;
it needs two numbers a caller, and refuses at most a few per cent too early or late when the rate is uneven.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import resources
from typing import Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from pipeline.log import get_logger

WINDOW_S = 60
_AWAY_S = 5.0
_MAX_CALLERS = 10_000


class Limiter(Protocol):
    """Counts requests."""

    async def take(self, caller: str) -> int:
        """0 where the request may pass, else the seconds after which to try again."""


class LocalLimiter:
    """Counts in this process only."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.time) -> None:
        self._per_minute = per_minute
        self._now = now
        self._counts: dict[tuple[str, int], int] = {}

    async def take(self, caller: str) -> int:
        """0 where the request may pass, else the seconds after which to try again."""
        now = self._now()
        window = int(now // WINDOW_S)
        before = self._counts.get((caller, window - 1), 0)
        current = self._counts.get((caller, window), 0)
        left_s = WINDOW_S - now % WINDOW_S
        if before * left_s / WINDOW_S + current >= self._per_minute:
            return retry_after(before, current, left_s, self._per_minute)
        if len(self._counts) > _MAX_CALLERS:
            self._counts = {k: n for k, n in self._counts.items() if k[1] >= window - 1}
        self._counts[caller, window] = current + 1
        return 0


def retry_after(before: float, current: float, left_s: float, limit: int) -> int:
    """Whole seconds until a request passes, if no other comes.

    Within this window the previous one's share shrinks to `limit - current`; else the next window must come,
    in which this one's count shrinks.
    """
    if current < limit and before > 0:
        wait = left_s - (limit - current) * WINDOW_S / before
    else:
        wait = left_s + WINDOW_S * (1 - limit / max(current, 1))
    return max(1, int(wait) + 1)


class RedisLimiter:
    """Counts in Redis, so that all gateways share the limit; while Redis is away each counts on its own."""

    def __init__(self, redis: Redis, per_minute: int, now: Callable[[], float] = time.time) -> None:
        self._per_minute = per_minute
        self._now = now
        self._local = LocalLimiter(per_minute, now)
        self._away_until = 0.0
        lua = resources.files("gateway").joinpath("ratelimit.lua").read_text("utf-8")
        self._script = redis.register_script(lua)

    async def take(self, caller: str) -> int:
        """0 where the request may pass, else the seconds after which to try again."""
        now = self._now()
        if now < self._away_until:
            return await self._local.take(caller)
        window = int(now // WINDOW_S)
        left_s = WINDOW_S - now % WINDOW_S
        keys = [f"rb:rate:{{{caller}}}:{window - 1}", f"rb:rate:{{{caller}}}:{window}"]
        try:
            answer = await self._script(keys, [self._per_minute, left_s / WINDOW_S, 2 * WINDOW_S])
        except (RedisError, OSError) as exc:
            get_logger().warning("redis is away: limits are counted locally", cause=type(exc).__name__)
            self._away_until = now + _AWAY_S
            return await self._local.take(caller)
        passed, before, current = cast(list[int], answer)
        return 0 if passed else retry_after(before, current, left_s, self._per_minute)


class NoLimiter:
    """Lets everything pass."""

    async def take(self, caller: str) -> int:
        """Always 0."""
        return 0
