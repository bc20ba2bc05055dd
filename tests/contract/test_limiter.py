"""One suite for both limiters: the one in this process and the one in Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from gateway.limiter import Limiter, LocalLimiter, RedisLimiter

LIMIT = 10


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_000_000 * 60.0

    def __call__(self) -> float:
        return self.now


Make = Callable[[Clock], Limiter]


@pytest.fixture(params=["local", "redis"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    if request.param == "local":
        yield lambda clock: LocalLimiter(LIMIT, clock)
        return
    redis = Redis.from_url(request.getfixturevalue("stack").redis_url, decode_responses=True)
    yield lambda clock: RedisLimiter(redis, LIMIT, clock)
    await redis.aclose()


async def taken(limiter: Limiter, caller: str, tries: int) -> int:
    return sum([await limiter.take(caller) == 0 for _ in range(tries)])


async def test_the_limit_is_met_exactly_within_a_minute(make: Make) -> None:
    limiter, caller = make(Clock()), uuid4().hex
    assert await taken(limiter, caller, 25) == LIMIT


async def test_callers_do_not_share(make: Make) -> None:
    limiter = make(Clock())
    assert await taken(limiter, uuid4().hex, 25) == LIMIT
    assert await taken(limiter, uuid4().hex, 25) == LIMIT


async def test_the_window_slides(make: Make) -> None:
    clock, caller = Clock(), uuid4().hex
    limiter = make(clock)
    await taken(limiter, caller, 25)
    clock.now += 60
    assert await taken(limiter, caller, 25) == 0, "at the edge the last minute is still full"
    clock.now += 30
    assert await taken(limiter, caller, 25) == LIMIT // 2
    clock.now += 120
    assert await taken(limiter, caller, 25) == LIMIT


@pytest.mark.parametrize("at", [0, 10, 59])
async def test_who_waits_as_told_passes(make: Make, at: int) -> None:
    clock, caller = Clock(), uuid4().hex
    limiter = make(clock)
    clock.now += at
    await taken(limiter, caller, LIMIT)
    wait = await limiter.take(caller)
    assert 1 <= wait <= 120
    clock.now += wait
    assert await limiter.take(caller) == 0


async def test_the_redis_one_counts_on_without_redis() -> None:
    nowhere = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    limiter = RedisLimiter(nowhere, LIMIT, Clock())
    assert await taken(limiter, "caller", 25) == LIMIT
    await nowhere.aclose()
