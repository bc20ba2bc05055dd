"""Where the tests' servers come from: the environment, a Docker engine, or the embedded stack."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from confluent_kafka.admin import AdminClient
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from infra.embedded.guard import guard
from infra.embedded.ports import choose
from infra.embedded.stack import Stack
from pipeline.settings import Settings


@dataclass(frozen=True)
class TestStack:
    """Three servers, and the embedded stack if it is they."""

    __test__ = False
    kafka_bootstrap: str
    postgres_dsn: str
    redis_url: str
    home: Path
    embedded: Stack | None = None

    def settings(self, **overrides: object) -> Settings:
        """Settings that reach these servers; `overrides` by field name."""
        values: dict[str, object] = {
            "home": self.home,
            "kafka_bootstrap": self.kafka_bootstrap,
            "postgres_dsn": self.postgres_dsn,
            "redis_url": self.redis_url,
            "api_keys": "test-key",
            "gateway_port": 0,
            **overrides,
        }
        return Settings.model_validate(values)


@contextmanager
def given(home: Path) -> Iterator[TestStack | None]:
    """The servers that the environment names."""
    names = ("RB_TEST_KAFKA_BOOTSTRAP", "RB_TEST_POSTGRES_DSN", "RB_TEST_REDIS_URL")
    values = [os.environ.get(name) for name in names]
    kafka, postgres, redis_url = values
    yield TestStack(kafka, postgres, redis_url, home) if kafka and postgres and redis_url else None


@contextmanager
def containers(home: Path) -> Iterator[TestStack | None]:
    """Three containers, if a Docker engine answers."""
    if not _docker_answers():
        yield None
        return
    port = choose({"kafka": 0})["kafka"]  # Kafka tells clients its address, so the port is known beforehand
    with ExitStack() as running:
        kafka = (
            DockerContainer("apache/kafka:4.1.0")
            .with_bind_ports(9092, port)
            .with_env("KAFKA_NODE_ID", "1")
            .with_env("KAFKA_PROCESS_ROLES", "broker,controller")
            .with_env("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093")
            .with_env("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER")
            .with_env("KAFKA_LISTENERS", "PLAINTEXT://:9092,CONTROLLER://:9093")
            .with_env("KAFKA_ADVERTISED_LISTENERS", f"PLAINTEXT://127.0.0.1:{port}")
            .with_env("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1")
            .with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
            .waiting_for(LogMessageWaitStrategy("Kafka Server started"))
        )
        postgres = (
            DockerContainer("pgvector/pgvector:pg18")
            .with_exposed_ports(5432)
            .with_env("POSTGRES_PASSWORD", "test")
            .waiting_for(LogMessageWaitStrategy("listening on IPv4 address"))
        )
        valkey = (
            DockerContainer("valkey/valkey:9")
            .with_exposed_ports(6379)
            .waiting_for(LogMessageWaitStrategy("Ready to accept connections"))
        )
        for container in (kafka, postgres, valkey):
            running.enter_context(container)
        postgres_port, redis_port = postgres.get_exposed_port(5432), valkey.get_exposed_port(6379)
        dsn = f"postgresql://postgres:test@127.0.0.1:{postgres_port}/postgres"
        yield TestStack(f"127.0.0.1:{port}", dsn, f"redis://127.0.0.1:{redis_port}/0", home)


def _docker_answers() -> bool:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=3)
        return bool(client.ping())
    except DockerException:
        return False


@contextmanager
def embedded() -> Iterator[TestStack]:
    """The embedded stack in a folder of its own, which is gone afterwards, even if we are killed."""
    home = Path(tempfile.mkdtemp(prefix="rb-"))
    watcher = guard(home, remove=True)
    try:
        stack = Stack(home, well_known_ports=False)
        addresses = stack.start()
        yield TestStack(
            addresses.kafka_bootstrap, addresses.postgres_dsn, addresses.redis_url, home, embedded=stack
        )
    finally:
        assert watcher.stdin is not None
        watcher.stdin.close()
        watcher.wait(60)


@contextmanager
def fresh_database(dsn: str, name: str, template: str | None = None) -> Iterator[str]:
    """A new database on the server of `dsn`, copied from `template`; dropped afterwards."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        copied = f"TEMPLATE {template} STRATEGY file_copy" if template else ""
        admin.execute(f"CREATE DATABASE {name} {copied}")
    try:
        yield psycopg.conninfo.make_conninfo(dsn, dbname=name)
    finally:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def flushed_redis(url: str, number: int) -> str:
    """Logical database `number` of the server, emptied."""
    fresh = url.rsplit("/", 1)[0] + f"/{number}"
    with redis.Redis.from_url(fresh) as client:
        client.flushdb()
    return fresh


def remove_topics(settings: Settings) -> None:
    """Delete every topic under the settings' prefix, a consumer's changelogs included."""
    client = AdminClient({"bootstrap.servers": settings.kafka_bootstrap})
    names = [name for name in client.list_topics(timeout=15).topics if name.startswith(settings.topic_prefix)]
    for future in client.delete_topics(names, operation_timeout=15).values():
        future.result()
