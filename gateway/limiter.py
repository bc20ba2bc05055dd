"""Rate limits: a sliding window counter of one minute for each quota.

The count is that of the current minute plus the share of the previous one that still lies in the last 60 s;
it needs two numbers a quota, and refuses at most a few per cent too early or late when the rate is uneven.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from typing import NamedTuple, Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.gathering import Gathering
from pipeline.log import get_logger

WINDOW_S = 60
_AWAY_S = 5.0
_MAX_SUBJECTS = 10_000
_OTHERS = "others"
_TOGETHER = 100


class Quota(NamedTuple):
    """So many requests a minute for a subject. `policy` is what callers know the quota as: key, address, refused."""

    policy: str
    subject: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request leaves a quota: how many more may come in the next `reset_s`. `wait_s` is 0 where the request may
    pass, else the seconds after which to try again."""

    quota: Quota
    remaining: int
    reset_s: int
    wait_s: int


class Limiter(Protocol):
    """Counts requests."""

    async def take(self, quotas: Sequence[Quota]) -> Standing | None:
        """The quota that is nearest to its end, or over it; None where there is none. A request that one of them
        refuses counts in none."""


class _Counts(NamedTuple):
    before: int
    current: int


def _over(counts: _Counts, left_s: float, limit: int) -> bool:
    return counts.before * left_s / WINDOW_S + counts.current >= limit


def standing(quotas: Sequence[Quota], counted: Sequence[_Counts], left_s: float) -> Standing:
    """The quota nearest to its end, from the counts before the request."""
    over = [(q, c) for q, c in zip(quotas, counted, strict=True) if _over(c, left_s, q.per_minute)]
    if over:
        waits = [(retry_after(c.before, c.current, left_s, q.per_minute), q) for q, c in over]
        wait_s, quota = max(waits)
        return Standing(quota, 0, wait_s, wait_s)
    left = [
        (int(q.per_minute - c.before * left_s / WINDOW_S - c.current - 1), q)
        for q, c in zip(quotas, counted, strict=True)
    ]
    remaining, quota = min(left)
    return Standing(quota, max(0, remaining), math.ceil(left_s), 0)


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


class LocalLimiter:
    """Counts in this process only. Beyond so many subjects in a minute newcomers share one count: no memory without
    bounds, and no door that a crowd opens."""

    def __init__(self, now: Callable[[], float] = time.time, most: int = _MAX_SUBJECTS) -> None:
        self._now = now
        self._most = most
        self._window = 0
        self._before: dict[tuple[str, str], int] = {}
        self._current: dict[tuple[str, str], int] = {}

    async def take(self, quotas: Sequence[Quota]) -> Standing | None:
        """As Limiter says."""
        if not quotas:
            return None
        now = self._now()
        self._turn(int(now // WINDOW_S))
        subjects = [self._subject(quota) for quota in quotas]
        counted = [_Counts(self._before.get(s, 0), self._current.get(s, 0)) for s in subjects]
        found = standing(quotas, counted, WINDOW_S - now % WINDOW_S)
        if not found.wait_s:
            for subject in subjects:
                self._current[subject] = self._current.get(subject, 0) + 1
        return found

    def _turn(self, window: int) -> None:
        if window != self._window:
            self._before = self._current if window == self._window + 1 else {}
            self._current, self._window = {}, window

    def _subject(self, quota: Quota) -> tuple[str, str]:
        subject = (quota.policy, quota.subject)
        known = subject in self._current or len(self._current) < self._most
        return subject if known else (quota.policy, _OTHERS)


class RedisLimiter:
    """Counts in Redis, many requests in one round trip, so that all gateways share the limits; while Redis is away each
    counts on its own."""

    def __init__(self, redis: Redis, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._local = LocalLimiter(now)
        self._away_until = 0.0
        lua = resources.files("gateway").joinpath("ratelimit.lua").read_text("utf-8")
        self._script = redis.register_script(lua)
        self._taking = Gathering(self._take_in_redis, _TOGETHER)

    async def take(self, quotas: Sequence[Quota]) -> Standing | None:
        """As Limiter says."""
        if not quotas:
            return None
        if self._now() < self._away_until:
            return await self._local.take(quotas)
        try:
            return await self._taking.ask(quotas)
        except (RedisError, OSError):
            return await self._local.take(quotas)

    async def _take_in_redis(self, requests: Sequence[Sequence[Quota]]) -> list[Standing]:
        now = self._now()
        window = int(now // WINDOW_S)
        left_s = WINDOW_S - now % WINDOW_S
        # one tag for all: a script's keys must lie together in a cluster
        keys = [
            f"{{rb:rate}}:{q.policy}:{q.subject}:{w}"
            for quotas in requests
            for q in quotas
            for w in (window - 1, window)
        ]
        limits = [n for quotas in requests for n in (len(quotas), *(q.per_minute for q in quotas))]
        try:
            answer = cast(list[int], await self._script(keys, [left_s / WINDOW_S, 2 * WINDOW_S, *limits]))
        except (RedisError, OSError) as exc:
            get_logger().warning("redis is away: limits are counted locally", cause=type(exc).__name__)
            self._away_until = now + _AWAY_S
            raise
        counts = iter([_Counts(*pair) for pair in zip(answer[::2], answer[1::2], strict=True)])
        return [standing(quotas, list(islice(counts, len(quotas))), left_s) for quotas in requests]
