"""The one suite that every implementation of `consumers.redis_port.Positions` passes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from consumers.redis_port import MemoryPositions, Positions, RedisPositions, connect
from pipeline.errors import CacheUnavailable, PositionFenced
from pipeline.settings import Settings
from pipeline.stream.batch import Advance
from tests.servers import TestStack, flushed_redis

PLACES = [("events.linked", 0), ("events.linked", 1), ("profiles.updates", 0)]


@pytest.fixture(params=["memory", "redis"])
def positions(request: pytest.FixtureRequest) -> Iterator[Positions]:
    if request.param == "memory":
        yield MemoryPositions()
        return
    stack: TestStack = request.getfixturevalue("stack")
    with Redis.from_url(flushed_redis(stack.redis_url, 14), decode_responses=True) as redis:
        yield RedisPositions(redis, "test")


def test_nothing_is_stored_at_first(positions: Positions) -> None:
    assert positions.load(PLACES) == {}
    assert positions.load([]) == {}


def test_what_is_stored_is_loaded_by_place(positions: Positions) -> None:
    positions.store([Advance("events.linked", 1, None, 7), Advance("profiles.updates", 0, None, 2**40)])
    assert positions.load(PLACES) == {("events.linked", 1): 7, ("profiles.updates", 0): 2**40}
    assert positions.load(PLACES[:1]) == {}


def test_a_position_may_go_back_for_a_replay(positions: Positions) -> None:
    positions.store([Advance("events.linked", 1, None, 7)])
    positions.store([Advance("events.linked", 1, 2, 3)])
    positions.store([])
    assert positions.load(PLACES) == {("events.linked", 1): 3}


def test_losing_an_expected_position_is_noticed_and_nothing_is_kept(positions: Positions) -> None:
    positions.store([Advance("events.linked", 0, None, 5)])
    with pytest.raises(PositionFenced):
        positions.store([Advance("events.linked", 0, 5, 6), Advance("events.linked", 1, 7, 8)])
    assert positions.load(PLACES) == {("events.linked", 0): 5}


def test_one_that_is_away_says_so() -> None:
    memory = MemoryPositions()
    memory.away = True
    nobody = RedisPositions(connect(Settings(redis_url="redis://127.0.0.1:1/0")), "test")
    for positions in (memory, nobody):
        with pytest.raises(CacheUnavailable):
            positions.load(PLACES)
        with pytest.raises(CacheUnavailable):
            positions.store([Advance("events.linked", 0, None, 1)])
