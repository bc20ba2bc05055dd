"""Postgres fails over to a standby: if that was synchronous, as if nothing had happened; if not, no event is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from redis import Redis

from faults.checker import check
from faults.finding import FindingKind
from faults.proxy import Proxies, Proxy
from infra.migrate import migrate
from infra.supervisor import PROCESSES
from pipeline.settings import Settings
from pipeline.store.configurations import InForce
from pipeline.store.database import Database
from pipeline.store.months import Months
from tests.support.people import model, policy
from tests.support.processes import answering, free_port
from tests.support.rest import assert_kept, assert_verified, at_rest, ended, linked
from tests.support.running import running
from tests.support.sending import sending
from tests.support.standby import Pair, pair
from tests.support.worker import eventually

SEED = 11

TOLD = {
    FindingKind.LINKED_DIFFERS,
    FindingKind.LINK_ASTRAY,
    FindingKind.PROFILE_MISSING,
    FindingKind.VERSION_TOLD_TWICE,
    FindingKind.VERSION_DIFFERS,
    FindingKind.PROFILE_SURPLUS,
    FindingKind.STATE_DIFFERS,
    FindingKind.CACHE_SURPLUS,
    FindingKind.CACHE_VERSION,
    FindingKind.CACHE_STATE,
}
"""What may differ where Postgres forgot what was told on topics already: only what was told."""


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


def over(house: Settings, dsn: str, home: Path, **changes: object) -> Settings:
    """What every process is told, who reach Postgres by `dsn`."""
    own = {"postgres_dsn": dsn, "gateway_port": free_port(), "home": home, "rate_limit_per_minute": 0}
    return Settings.model_validate({**house.model_dump(exclude_none=True), **own, **changes})


def test_nothing_is_lost_or_doubled_when_a_synchronous_standby_takes_over(
    house: Settings, replicated: Pair, way: Proxy, tmp_path: Path
) -> None:
    dsn = make_conninfo(**{**conninfo_to_dict(replicated.primary.dsn), "port": way.port})
    seen = over(house, dsn, tmp_path)
    replicated.synchronous()
    with (
        Database(dsn, "test") as database,
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
            eventually(lambda: processes["normalize"].says("trying again", "read-only"))
            eventually(lambda: processes["relay"].says("trying again", "recovery"))
            replicated.promote()
            linked_before = linked(database)
            eventually(lambda: linked(database) > linked_before + 300, moving=lambda: linked(database))
        assert writer.unexpected == []
        assert ended(processes) == set()
        eventually(lambda: at_rest(seen, database), moving=lambda: linked(database))
        assert_kept(seen, database, writer.accepted)


def test_what_a_standby_lacked_is_read_again_from_kafka(
    house: Settings, replicated: Pair, tmp_path: Path
) -> None:
    """It takes over while nobody sends anything. Processes find it by themselves, for their DSN names both."""
    both = {"host": "127.0.0.1,127.0.0.1", "target_session_attrs": "read-write"}
    both["port"] = f"{replicated.primary.ports[0]},{replicated.standby.ports[0]}"
    dsn = make_conninfo(**{**conninfo_to_dict(replicated.primary.dsn), **both})
    # copies that were sealed under lost keys are dead letters, as many as events were lost
    seen = over(house, dsn, tmp_path, dead_letter_run_max=10_000, dead_letter_ratio_max=1)
    with (
        Database(dsn, "test") as database,
        running(PROCESSES, seen, tmp_path) as processes,
        answering(seen) as client,
    ):
        with sending(client, SEED) as writer:
            eventually(lambda: linked(database) > 200, moving=lambda: linked(database))
            replicated.leave_behind()
            kept = linked(database)
            eventually(lambda: linked(database) > kept + 500, moving=lambda: linked(database))
        eventually(lambda: at_rest(seen, database), moving=lambda: linked(database))
        assert check(seen, writer.accepted) == []
        with Database(replicated.standby.dsn, "test") as standby:
            assert linked(standby) < len(writer.accepted)
        replicated.lose_primary()
        replicated.promote()
        eventually(lambda: at_rest(seen, database), moving=lambda: linked(database))
        assert ended(processes) == set()
        assert linked(database) == len(writer.accepted)
        kinds = {finding.kind for finding in check(seen, writer.accepted, cache_timeout_s=1)}
        assert_verified(seen, database)
        assert kinds <= TOLD
        assert refused(database) <= {("resolve", "processing_failed"), ("resolve", "data_key_missing")}
        # what the cache was told of customers who are others now it does not give up by itself
        assert FindingKind.CACHE_SURPLUS in kinds
        with Redis.from_url(seen.redis_url, decode_responses=True) as redis:
            redis.delete(*redis.scan_iter("rb:profile:*"))
        stands = versions(database)
        eventually(lambda: {p: answered(client, p) for p in stands} == stands)


def test_what_was_known_of_postgres_is_forgotten_with_the_connection(database: str) -> None:
    """The next one may be to a standby that lacks it."""
    now = datetime.now(UTC)
    months, in_force = Months("event"), InForce("resolve", model(), policy())
    with Database(database, "test") as opened:
        for _ in range(2):
            months.ensure(opened, [now])
            in_force.ensure(opened)
            with opened.transaction() as tx:
                (table,) = tx.connection.execute(
                    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event'::regclass"
                ).fetchall()
                (count,) = tx.connection.execute("SELECT count(*) FROM configuration_in_force").fetchall()
                assert (table, count) == ((f"event_{now:%Y%m}",), (1,))
                tx.connection.execute(f"DROP TABLE {table[0]}")
                tx.connection.execute("DELETE FROM configuration_in_force")
            opened.close()


def refused(database: Database) -> set[tuple[str, str]]:
    """Stage and reason of every dead letter."""
    with database.transaction() as tx:
        rows = tx.connection.execute("SELECT stage, reason FROM dead_letter").fetchall()
    return {(str(stage), str(reason)) for stage, reason in rows}


def answered(client: httpx.Client, profile: str) -> object:
    """The version of a profile that the gateway answers with."""
    return client.get(f"/v1/profiles/{profile}").json()["version"]


def versions(database: Database) -> dict[str, int]:
    """Every live profile and its version."""
    with database.transaction() as tx:
        rows = tx.connection.execute(
            "SELECT profile_id::text, version FROM customer_profile WHERE merged_into IS NULL"
        ).fetchall()
    return {str(profile): int(version) for profile, version in rows}
