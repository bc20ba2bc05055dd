"""Fixtures that every test may use; those with servers are marked `stack` by themselves."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import structlog

from infra.migrate import migrate
from infra.topics import ensure_topics
from pipeline.settings import Settings
from tests.servers import TestStack, containers, embedded, flushed_redis, fresh_database, given, remove_topics

SERVER_FIXTURES = {"stack", "database", "house"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs servers, so that `-m "not stack"` is the quick run."""
    for item in items:
        if SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.stack)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """The whole process logs through these: what a command inside a test sets, no other test finds."""
    root, structured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**structured)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestStack]:
    """Kafka, Postgres and Redis: from the environment, a Docker engine, or the embedded stack."""
    with ExitStack() as opened:
        home = tmp_path_factory.mktemp("home")
        found = opened.enter_context(given(home)) or opened.enter_context(containers(home))
        yield found or opened.enter_context(embedded())


@pytest.fixture(scope="session")
def _migrated(stack: TestStack) -> Iterator[str]:
    name = f"rb_template_{uuid.uuid4().hex[:12]}"
    with fresh_database(stack.postgres_dsn, name) as dsn:
        migrate(dsn)
        yield name


@pytest.fixture
def database(stack: TestStack, _migrated: str) -> Iterator[str]:
    """DSN of a fresh, migrated database."""
    with fresh_database(stack.postgres_dsn, f"rb_test_{uuid.uuid4().hex[:12]}", template=_migrated) as dsn:
        yield dsn


@pytest.fixture
def house(stack: TestStack, database: str) -> Iterator[Settings]:
    """Settings over a fresh database, fresh topics (under a prefix of their own) and an empty Redis database."""
    settings = stack.settings(
        postgres_dsn=database,
        topic_prefix=f"t{uuid.uuid4().hex[:8]}.",
        redis_url=flushed_redis(stack.redis_url, 15),
    )
    ensure_topics(settings)
    yield settings
    remove_topics(settings)
