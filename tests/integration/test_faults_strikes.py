"""Strikes of the fault campaign that need servers: a full disk under Postgres, and positions set back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from bench.house import House
from faults.disk import SmallDisk
from faults.plan import Strike, StrikeKind
from faults.reread import set_back
from faults.strikes import use_up_log
from infra.embedded.stack import Stack
from pipeline.settings import Settings
from tests.support.worker import eventually


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a stack of its own, whose Postgres is moved and killed."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), well_known_ports=False)
        stack.start()
        try:
            yield Path(folder)
        finally:
            stack.stop()


def serves(stack: Stack) -> bool:
    """Whether Postgres answers; it is started where recovery found no room and gave up."""
    try:
        psycopg.connect(stack.start().postgres_dsn, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_full_disk_takes_no_row_and_its_log_no_server(home: Path) -> None:
    """Where nothing may be mounted, that is said, and Postgres serves as before."""
    stack, disk = Stack(home), SmallDisk()
    dsn = stack.last_addresses().postgres_dsn
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (text text)")
        connection.execute("INSERT INTO kept VALUES ('before')")
    with disk.under(home):
        if not disk.problem:
            with psycopg.connect(dsn, autocommit=True) as connection, disk.full(), disk.full():
                with pytest.raises(psycopg.errors.DiskFull):
                    connection.execute(
                        "INSERT INTO kept SELECT repeat('x', 100) FROM generate_series(1, 100_000)"
                    )
                use_up_log(connection, float("inf"))
            assert "PANIC" in stack.log("postgres").read_text()
            eventually(lambda: serves(stack), 60)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("INSERT INTO kept VALUES ('after')")
            assert connection.execute("SELECT text FROM kept").fetchall() == [("before",), ("after",)]


def test_positions_are_set_back_and_never_before_the_beginning(house: Settings, tmp_path: Path) -> None:
    struck = House(house.model_copy(update={"home": tmp_path}), house)
    with psycopg.connect(house.postgres_dsn.get_secret_value(), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO consumer_position (stage, topic, partition, next_offset) VALUES "
            "('resolve', 't', 0, 250), ('resolve', 't', 1, 50), ('normalize', 't', 0, 250)"
        )
        assert set_back(struck, Strike(0, StrikeKind.REREAD, "resolve", amount=100), 0) == ""
        found = connection.execute(
            "SELECT stage, next_offset FROM consumer_position ORDER BY 1, 2"
        ).fetchall()
    assert found == [("normalize", 250), ("resolve", 0), ("resolve", 150)]
    with Redis.from_url(house.redis_url, decode_responses=True) as redis:
        key = f"rb:position:{house.topic('cache')}"
        redis.hset(key, mapping={"t:0": 250, "t:1": 50})
        assert set_back(struck, Strike(0, StrikeKind.REREAD, "cache", amount=100), 0) == ""
        assert redis.hgetall(key) == {"t:0": "150", "t:1": "0"}


def test_positions_that_cannot_be_reached_are_said_to_stand(house: Settings, tmp_path: Path) -> None:
    away = house.model_copy(update={"home": tmp_path, "redis_url": "redis://127.0.0.1:1/0"})
    assert "refused" in set_back(House(away, house), Strike(0, StrikeKind.REREAD, "cache", amount=100), 0)
