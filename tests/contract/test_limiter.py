"""One suite for both limiters: the one in this process and the one in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.limiter import Limiter, LocalLimiter, Quota, RedisLimiter
from gateway.server import redis_of
from tests.servers import TestStack

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
        yield LocalLimiter
        return
    redis = Redis.from_url(request.getfixturevalue("stack").redis_url, decode_responses=True)
    yield lambda clock: RedisLimiter(redis, clock)
    await redis.aclose()


def quota(caller: str, limit: int = LIMIT, policy: str = "key") -> Quota:
    return Quota(policy, caller, limit)


async def wait_s(limiter: Limiter, *quotas: Quota) -> int:
    standing = await limiter.take(quotas)
    assert standing is not None
    return standing.wait_s


async def taken(limiter: Limiter, caller: str, tries: int) -> int:
    return sum([await wait_s(limiter, quota(caller)) == 0 for _ in range(tries)])


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
    wait = await wait_s(limiter, quota(caller))
    assert 1 <= wait <= 120
    clock.now += wait
    assert await wait_s(limiter, quota(caller)) == 0


async def test_all_quotas_of_a_request_must_let_it_pass(make: Make) -> None:
    limiter, one, other, address = make(Clock()), uuid4().hex, uuid4().hex, uuid4().hex
    shared = quota(address, 3, "address")
    assert [await wait_s(limiter, quota(one, 2), shared) == 0 for _ in range(3)] == [True, True, False]
    assert [await wait_s(limiter, quota(other, 9), shared) == 0 for _ in range(3)] == [True, False, False]
    assert await taken(limiter, other, 9) == LIMIT - 1, "what another quota refused counted in none"


async def test_a_standing_is_that_of_the_quota_nearest_to_its_end(make: Make) -> None:
    clock, caller, address = Clock(), uuid4().hex, uuid4().hex
    limiter = make(clock)
    clock.now += 12.5
    quotas = (quota(caller, 3), quota(address, 5, "address"))
    found = [await limiter.take(quotas) for _ in range(4)]
    assert [(s.quota.policy, s.remaining, s.reset_s, s.wait_s) for s in found if s] == [
        ("key", 2, 48, 0),
        ("key", 1, 48, 0),
        ("key", 0, 48, 0),
        ("key", 0, 48, 48),
    ]
    nearer = await limiter.take([quota(uuid4().hex, 3), quotas[1]])
    assert nearer is not None
    assert (nearer.quota.policy, nearer.remaining) == ("address", 1)


async def test_a_quota_of_its_own_counts_by_itself(make: Make) -> None:
    limiter, name = make(Clock()), uuid4().hex
    assert await taken(limiter, name, LIMIT) == LIMIT
    assert await wait_s(limiter, quota(name, 1, "refused")) == 0
    assert await wait_s(limiter, quota(name, LIMIT + 1)) == 0


async def test_without_a_quota_nothing_is_asked() -> None:
    nowhere = Redis.from_url("redis://127.0.0.1:1/0")
    with capture_logs() as logs:
        assert await RedisLimiter(nowhere, Clock()).take([]) is None
    assert logs == []
    await nowhere.aclose()


async def test_one_round_trip_serves_all_quotas(stack: TestStack) -> None:
    redis = Redis.from_url(stack.redis_url, decode_responses=True)
    limiter, quotas = RedisLimiter(redis, Clock()), [quota(uuid4().hex), quota(uuid4().hex, 5, "address")]
    await limiter.take(quotas)  # the script is loaded now
    asked: list[object] = []
    execute = redis.execute_command

    async def counted(*arguments: object, **options: object) -> object:
        asked.append(arguments[0])
        return await execute(*arguments, **options)

    redis.execute_command = counted  # type: ignore[method-assign]
    await limiter.take(quotas)
    assert asked == ["EVALSHA"]
    await redis.aclose()


async def test_a_crowd_is_counted_together_and_takes_no_more_room() -> None:
    limiter = LocalLimiter(Clock(), most=100)
    passed = [await wait_s(limiter, quota(str(n))) == 0 for n in range(1_000)]
    assert passed == [True] * (100 + LIMIT) + [False] * (900 - LIMIT)
    assert len(limiter._current) <= 101
    assert await wait_s(limiter, quota("7")) == 0, "who was counted before is counted alone"


async def test_the_redis_one_counts_on_without_redis() -> None:
    nowhere = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    limiter = RedisLimiter(nowhere, Clock())
    with capture_logs() as logs:
        waits = await asyncio.gather(*(wait_s(limiter, quota("caller")) for _ in range(25)))
    assert waits.count(0) == LIMIT
    assert len(logs) == 1
    await nowhere.aclose()


async def test_more_requests_at_once_than_connections_are_no_outage(stack: TestStack) -> None:
    redis = redis_of(stack.settings())
    limiter, one = RedisLimiter(redis, Clock()), quota(uuid4().hex, 1_000)
    with capture_logs() as logs:
        taken = await asyncio.gather(*(limiter.take([one]) for _ in range(300)))
    assert not logs
    assert min(standing.remaining for standing in taken if standing is not None) == 700
    await redis.aclose()


async def test_those_that_ask_at_a_moment_are_counted_each_in_its_own_quotas(make: Make) -> None:
    limiter, address = make(Clock()), quota(uuid4().hex, 12, "address")
    callers = [uuid4().hex for _ in range(3)]
    asked = [[quota(caller, 5), address] for _ in range(8) for caller in callers] + [[address]] * 4
    waits = await asyncio.gather(*(wait_s(limiter, *quotas) for quotas in asked))
    passed = [quotas[0].subject for quotas, wait in zip(asked, waits, strict=True) if not wait]
    assert [passed.count(caller) for caller in callers] == [4, 4, 4], "twelve in turn, of one address"
    assert await taken(limiter, callers[0], 25) == LIMIT - 4, (
        "what the address refused counts in no other quota"
    )
