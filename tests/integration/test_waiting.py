"""Processes that start before their servers wait, and say what for."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from faults.proxy import Proxies
from infra.embedded.processes import record
from infra.embedded.state import State
from infra.migrate import migrate
from infra.supervisor import PROCESSES
from infra.topics import ensure_topics
from infra.waiting import NEEDS
from pipeline.settings import Settings
from tests.servers import TestStack, flushed_redis, fresh_database, remove_topics
from tests.support.processes import answering, free_port, resolved
from tests.support.running import ended, running
from tests.support.worker import eventually


def test_what_is_missing_is_said_with_its_mend_and_sigterm_ends_the_wait(tmp_path: Path) -> None:
    port = free_port()
    settings = Settings.model_validate(
        {
            "home": tmp_path,
            "kafka_bootstrap": f"127.0.0.1:{port}",
            "postgres_dsn": f"postgresql://postgres:secret@127.0.0.1:{port}/none",
            "redis_url": f"redis://127.0.0.1:{port}/0",
        }
    )
    with running(tuple(NEEDS), settings, tmp_path) as processes:
        for name, process in processes.items():
            eventually(lambda process=process: process.says("waiting for Kafka", "RB_KAFKA_BOOTSTRAP"))
            if name in ("normalize", "resolve", "relay", "webhooks"):
                eventually(lambda process=process: process.says("waiting for Postgres", "RB_POSTGRES_DSN"))
            else:
                eventually(lambda process=process: process.says("waiting for Redis", "RB_REDIS_URL"))
            assert not process.says("secret")
        assert ended(processes) == dict.fromkeys(NEEDS, 0)


def test_a_stack_that_starts_later_elsewhere_is_found(tmp_path: Path) -> None:
    """Kafka, which the environment names, stays away; where Postgres is, the stack says as soon as there is one."""
    unsaid = ("RB_POSTGRES_DSN", "RB_REDIS_URL")
    settings = Settings.model_validate({"home": tmp_path, "kafka_bootstrap": f"127.0.0.1:{free_port()}"})
    ports = {name: free_port() for name in ("kafka", "controller", "postgres", "valkey", "gateway")}
    with running(("relay",), settings, tmp_path, unsaid) as processes:
        eventually(lambda: processes["relay"].says("waiting for Kafka"))
        (tmp_path / "postgres.password").write_text("secret")
        State(ports, "key", {"valkey": record(os.getpid())}).write(tmp_path / "stack.json")
        eventually(lambda: processes["relay"].says("waiting for Postgres", str(ports["postgres"])))
        assert ended(processes) == {"relay": 0}


@pytest.fixture
def bare(stack: TestStack) -> Iterator[Settings]:
    """Servers without schema and topics."""
    with fresh_database(stack.postgres_dsn, f"rb_test_{uuid.uuid4().hex[:12]}") as dsn:
        settings = stack.settings(
            postgres_dsn=dsn,
            topic_prefix=f"t{uuid.uuid4().hex[:8]}.",
            redis_url=flushed_redis(stack.redis_url, 15),
        )
        yield settings
        remove_topics(settings)


def test_a_house_that_starts_before_its_servers_works_once_they_are_there(
    bare: Settings, tmp_path: Path
) -> None:
    dsn, redis = conninfo_to_dict(bare.postgres_dsn.get_secret_value()), urlsplit(bare.redis_url)
    ports = {name: free_port() for name in ("kafka", "postgres", "valkey", "gateway")}
    away = Settings.model_validate(
        {
            **bare.model_dump(exclude_none=True),
            "home": tmp_path,
            "kafka_bootstrap": f"127.0.0.1:{ports['kafka']}",
            "postgres_dsn": make_conninfo(**{**dsn, "host": "127.0.0.1", "port": ports["postgres"]}),
            "redis_url": redis._replace(netloc=f"127.0.0.1:{ports['valkey']}").geturl(),
            "gateway_port": ports["gateway"],
        }
    )
    with running(PROCESSES, away, tmp_path) as processes:
        for name in NEEDS:
            eventually(lambda name=name: processes[name].says("waiting for Kafka"))
        with Proxies({name: ports[name] for name in ("kafka", "postgres", "valkey")}) as proxies:
            proxies["kafka"].target = int(bare.kafka_bootstrap.rpartition(":")[2])
            proxies["postgres"].target = int(str(dsn["port"]))
            proxies["valkey"].target = int(redis.port or 6379)
            for name in ("normalize", "resolve", "relay"):
                eventually(
                    lambda name=name: processes[name].says("waiting for schema", "retail-brain migrate")
                )
            eventually(lambda: processes["cache"].says("waiting for topics", "retail-brain topics"))
            migrate(bare.postgres_dsn.get_secret_value())
            ensure_topics(bare)
            for name in NEEDS:
                eventually(lambda name=name: processes[name].says("everything is there"))
            with answering(away) as client:
                profile = resolved(
                    client, {"source": "web", "event_type": "visit", "identifiers": {"crm_id": "C-1"}}
                )
                assert client.get(f"/v1/profiles/{profile}").status_code == httpx.codes.OK
            assert ended(processes) == dict.fromkeys(PROCESSES, 0)
