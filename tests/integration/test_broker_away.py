"""Kafka is away for a while: nothing that was accepted is lost or doubled, and everything goes on by itself.

RB_TEST_BROKER_AWAY_S=60 takes it away for a minute.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.embedded import jars, server
from infra.embedded.kafka import Kafka
from infra.embedded.ports import choose
from infra.supervisor import PROCESSES
from infra.topics import ensure_topics
from pipeline.settings import Settings
from pipeline.store.database import Database
from tests.servers import TestStack, flushed_redis
from tests.support.processes import answering, free_port
from tests.support.rest import assert_kept, at_rest, ended, linked
from tests.support.running import running
from tests.support.sending import sending
from tests.support.worker import eventually

AWAY_S = float(os.environ.get("RB_TEST_BROKER_AWAY_S", "8"))
"""By default longer than the 6 s after which a group gives up a member, and than the gateway waits for the broker."""
GATEWAY_WAITS_MS = 2_000


class OwnKafka:
    """A broker for this module alone, which is killed."""

    def __init__(self, folder: Path) -> None:
        ports = choose({"kafka": 0, "controller": 0})
        found = tuple(jars.obtain(jars.default_cache(folder)))
        self._kafka = Kafka(folder / "kafka", (ports["kafka"], ports["controller"]), found)
        self.bootstrap = self._kafka.bootstrap
        self.log = folder / "kafka.log"

    def start(self) -> None:
        """Returns once it answers; with what it has on disk."""
        server.start(self._kafka, self.log, lambda recorded: None)

    def kill(self) -> None:
        """SIGKILL."""
        server.end_leftovers(self._kafka)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnKafka]:
    """It, running."""
    own = OwnKafka(tmp_path)
    try:
        own.start()
        yield own
    finally:
        own.kill()


@pytest.fixture
def settings(stack: TestStack, database: str, broker: OwnKafka, tmp_path: Path) -> Settings:
    """Settings over that broker, with topics."""
    found = stack.settings(
        home=tmp_path,
        kafka_bootstrap=broker.bootstrap,
        postgres_dsn=database,
        redis_url=flushed_redis(stack.redis_url, 15),
        gateway_port=free_port(),
        rate_limit_per_minute=0,
        produce_timeout_ms=GATEWAY_WAITS_MS,
    )
    ensure_topics(found)
    return found


def test_a_broker_that_is_away_under_load_costs_time_and_nothing_else(
    settings: Settings, broker: OwnKafka, tmp_path: Path
) -> None:
    with (
        Database(settings.postgres_dsn.get_secret_value(), "test") as database,
        running(PROCESSES, settings, tmp_path) as processes,
        answering(settings) as client,
    ):
        with sending(client, seed=7) as writer:
            eventually(lambda: linked(database) > 200, moving=lambda: linked(database))
            broker.kill()
            eventually(lambda: writer.answers[httpx.codes.SERVICE_UNAVAILABLE] > 0)
            accepted = len(writer.accepted)
            time.sleep(AWAY_S)
            assert len(writer.accepted) == accepted, "accepted without a broker"
            assert ended(processes) == set()
            broker.start()
            before = linked(database)
            eventually(lambda: linked(database) > before + 200, moving=lambda: linked(database))
        assert writer.unexpected == []
        eventually(lambda: at_rest(settings, database), moving=lambda: linked(database))
        assert ended(processes) == set()
        assert_kept(settings, database, writer.accepted)
