"""Migrations and topics, on real servers."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
from confluent_kafka.admin import AdminClient
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infra.doctor import postgres
from infra.migrate import migrate, pending
from infra.topics import ensure_topics, missing_topics, topic_differences
from pipeline.settings import Settings
from schemas.topics import topics
from tests.servers import TestStack, fresh_database


def test_two_migrations_at_once_do_the_work_once(stack: TestStack) -> None:
    with fresh_database(stack.postgres_dsn, f"rb_test_{uuid.uuid4().hex[:12]}") as dsn:
        wanted = pending(dsn)
        assert wanted
        with ThreadPoolExecutor(3) as pool:
            done = list(pool.map(lambda _: migrate(dsn), range(3)))
        assert sorted(done) == [(), (), wanted]
        assert pending(dsn) == ()


def test_a_lock_row_left_by_a_killed_migration_stops_nobody(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
        connection.execute("DELETE FROM _yoyo_migration")
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    assert migrate(database)


def test_a_role_that_may_not_see_what_is_migrated_is_told_so_and_works(database: str) -> None:
    role = f"rb_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(role)))
        try:
            dsn = make_conninfo(database, user=role, password="x")
            found = {f.what: f for f in postgres(Settings.model_validate({"postgres_dsn": dsn}))}
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    assert found["Postgres"].ok
    schema = found["schema"]
    assert (schema.ok, schema.blocks) == (False, False)
    assert "permission denied for table _yoyo_migration" in schema.found


def test_topics_are_made_once_and_as_declared(house: Settings) -> None:
    report = ensure_topics(house)
    assert report.created == ()
    assert set(report.standing) == {house.topic(name) for name in topics()}
    assert report.differences == ()
    assert missing_topics(house) == topic_differences(house) == ()


def test_a_missing_topic_is_named_and_mended(house: Settings) -> None:
    name = house.topic("events.raw")
    admin = AdminClient({"bootstrap.servers": house.kafka_bootstrap})
    admin.delete_topics([name], operation_timeout=15)[name].result()
    deadline = time.monotonic() + 10  # the broker tells of it a moment later
    while name in admin.list_topics().topics and time.monotonic() < deadline:
        time.sleep(0.05)
    assert missing_topics(house) == (name,)
    assert topic_differences(house) == ()
    assert ensure_topics(house).created == (name,)
