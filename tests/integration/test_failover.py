"""Postgres fails over to a standby: with synchronous replication as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from faults.checker import check
from faults.proxy import Proxies, Proxy
from faults.rest import behind
from infra.migrate import migrate
from infra.supervisor import PROCESSES
from pipeline.configuration import load_model, load_policy
from pipeline.errors import RetryLater
from pipeline.privacy.keyring import load_key_ring
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.verify.verification import verify
from tests.support.processes import answering, free_port
from tests.support.running import running
from tests.support.sending import sending
from tests.support.standby import Pair, pair
from tests.support.worker import eventually

SEED = 11


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[Pair]:
    """A migrated primary and its standby."""
    with pair(tmp_path / "servers") as both:
        migrate(both.primary.dsn)
        yield both


@pytest.fixture
def way(replicated: Pair) -> Iterator[Proxy]:
    """What leads every process to the primary, until it is told otherwise."""
    port = free_port()
    with Proxies({"postgres": port}) as proxies:
        proxies["postgres"].target = replicated.primary.ports[0]
        yield proxies["postgres"]


@pytest.fixture
def seen(house: Settings, replicated: Pair, way: Proxy, tmp_path: Path) -> Settings:
    """What every process is told: Postgres is where the proxy listens."""
    dsn = make_conninfo(**{**conninfo_to_dict(replicated.primary.dsn), "port": way.port})
    changed = {"postgres_dsn": dsn, "gateway_port": free_port(), "home": tmp_path, "rate_limit_per_minute": 0}
    return Settings.model_validate({**house.model_dump(exclude_none=True), **changed})


def test_nothing_is_lost_or_doubled_when_a_synchronous_standby_takes_over(
    seen: Settings, replicated: Pair, way: Proxy, tmp_path: Path
) -> None:
    replicated.synchronous()
    with (
        Database(seen.postgres_dsn.get_secret_value(), "test") as database,
        running(PROCESSES, seen, tmp_path) as processes,
        answering(seen) as client,
    ):
        with sending(client, SEED) as writer:
            eventually(lambda: linked(database) > 300, moving=lambda: linked(database))
            replicated.lose_primary()
            way.cut()
            before = len(writer.accepted)
            eventually(lambda: len(writer.accepted) > before + 100)
            # many a way leads there before it may be written to
            way.target = replicated.standby.ports[0]
            time.sleep(2)
            replicated.promote()
            linked_before = linked(database)
            eventually(lambda: linked(database) > linked_before + 300, moving=lambda: linked(database))
        assert writer.unexpected == []
        assert {name for name, process in processes.items() if process.ended} == set()
        eventually(lambda: at_rest(seen, database), moving=lambda: linked(database))
        assert check(seen, writer.accepted) == []
        found = verify(database, load_key_ring(seen), load_model(seen), load_policy(seen))
        assert found.faults == ()


def linked(database: Database) -> int:
    """Events with their profile; -1 while nobody can say."""
    try:
        with database.transaction() as tx:
            return int((tx.connection.execute("SELECT count(*) FROM event").fetchone() or (0,))[0])
    except RetryLater:
        return -1


def at_rest(settings: Settings, database: Database) -> bool:
    """Whether everything that was sent has gone all its way."""
    try:
        return not behind(settings, database)
    except RetryLater:
        return False
