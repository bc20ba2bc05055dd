"""API keys of the database, from the command line to the gateway: made, used, rotated, revoked, and Postgres away."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from cli.main import app
from gateway.stored_keys import FRESH_S, NEWS_S
from pipeline.api_keys.stored import note_used
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.store.database import Database
from tests.integration.test_answers import RULES, doubt
from tests.support.gateway import gateway_over
from tests.support.pipeline import StagesOnPostgres

FLOOD = 100
NOWHERE = "/v1/nowhere"
"""Of all known keys 404, of all others 401."""
UNKNOWN = f"rb_{'0' * 16}_{'0' * 64}"

pytestmark = pytest.mark.usefixtures("command_line")


def run(*command: str) -> str:
    result = CliRunner().invoke(app, ["api-keys", *command], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def made(name: str, *scopes: str, **options: str) -> str:
    given = [f"--{option.replace('_', '-')}={value}" for option, value in options.items()]
    return run("create", name, *(f"--scope={scope}" for scope in scopes), *given).strip()


def listed(*options: str) -> dict[str, dict[str, object]]:
    return {key["name"]: key for key in json.loads(run("list", "--json", *options))}


@pytest_asyncio.fixture
async def client(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway_over(database, tmp_path, monkeypatch) as opened:
        yield opened


async def status(client: httpx.AsyncClient, key: str, path: str = NOWHERE) -> int:
    return (await client.get(path, headers={"Authorization": f"Bearer {key}"})).status_code


async def until(client: httpx.AsyncClient, key: str, wanted: int) -> float:
    """The seconds until a key is answered so."""
    started = time.monotonic()
    while await status(client, key) != wanted:
        assert time.monotonic() - started < 4 * FRESH_S
        await asyncio.sleep(0.05)
    return time.monotonic() - started


async def test_a_key_opens_what_its_scopes_say_until_it_is_revoked(client: httpx.AsyncClient) -> None:
    key = made("shop", "read", "read:pii", actor="ann")
    assert await status(client, key) == 404
    assert await status(client, key, "/v1/profiles") == 400
    assert await status(client, key, "/v1/reviews") == 403
    assert await status(client, key[:-1] + ("0" if key[-1] != "0" else "1")) == 401
    (shown,) = listed().values()
    assert (shown["name"], shown["scopes"], shown["state"]) == ("shop", ["read", "read:pii"], "in force")
    assert shown["created_by"] == "ann"
    run("revoke", "shop")
    assert await until(client, key, 401) < FRESH_S + 1
    assert listed() == {}
    assert listed("--all")["shop"]["state"] == "revoked"
    again = made("shop", "read")
    assert again != key
    assert await until(client, again, 404) < NEWS_S + 1


async def test_a_rotated_key_keeps_its_name_and_its_old_secret_a_grace(client: httpx.AsyncClient) -> None:
    first = made("till", "ingest")
    assert await status(client, first) == 404
    second = run("rotate", "till").strip()
    assert second[:20] == first[:20], "the id stays"
    assert listed()["till"]["state"] == "in grace"
    third = run("rotate", "till").strip()
    assert await until(client, first, 401) < FRESH_S + 1, "the one before the last has no grace any more"
    fourth = run("rotate", "till", "--grace", "2s").strip()
    assert await until(client, third, 401) < FRESH_S + 3
    assert await status(client, second) == 401
    assert await status(client, fourth) == 404
    assert listed()["till"]["state"] == "in force"


async def test_a_key_expires(client: httpx.AsyncClient) -> None:
    key = made("guest", "read", expires="1d")
    assert await status(client, key) == 404
    with pytest.raises(BadInput, match="expires"):
        made("late", "read", expires="2020-01-01")
    async with await psycopg.AsyncConnection.connect(_dsn(), autocommit=True) as connection:
        await connection.execute("UPDATE api_key SET expires_at = now() + interval '1 second'")
    assert await until(client, key, 401) < FRESH_S + 2
    with pytest.raises(Conflict, match="expired"):
        run("rotate", "guest")
    assert await until(client, run("rotate", "guest", "--expires", "30d").strip(), 404) < NEWS_S + 1


async def test_callers_that_take_every_connection_do_not_delay_their_end(
    client: httpx.AsyncClient, database: str
) -> None:
    key = made("greedy", "read")
    assert await status(client, key) == 404
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await connection.execute(
            "LOCK TABLE customer_profile"
        )  # no query of a profile ends before its timeout

        async def flood() -> None:
            while await status(client, key, f"/v1/profiles/{uuid4()}") != 401:
                pass

        asked = [asyncio.create_task(flood()) for _ in range(FLOOD)]
        await asyncio.sleep(0)
        run("revoke", "greedy")
        try:
            assert await until(client, key, 401) < FRESH_S
        finally:
            await connection.rollback()
            await asyncio.gather(*asked)


async def test_who_acts_is_told_by_the_keys_name(client: httpx.AsyncClient, database: str) -> None:
    stages = StagesOnPostgres(database, rules=RULES)
    review = doubt(stages)
    stages.close()
    client.headers["Authorization"] = made("ann", "steward")
    path = f"/v1/reviews/{review}"
    assert (await client.post(f"{path}/reject", json={"reason": "twins"})).status_code == 200
    assert (await client.get(path)).json()["answered_by"] == "ann"


async def test_the_database_holds_no_secret_and_uses_come_later(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made("shop", "read")
    async with gateway_over(database, tmp_path, monkeypatch) as client:
        assert await status(client, key) == 404
        assert listed()["shop"]["last_used_at"] is None, "no request writes"
    assert listed()["shop"]["last_used_at"] is not None, "the gateway's end does"
    assert "shop" in run("list")
    async with await psycopg.AsyncConnection.connect(database) as connection:
        rows = await (await connection.execute("SELECT k::text FROM api_key k")).fetchall()
    assert len(rows) == 1
    assert key[20:] not in str(rows)


def test_a_use_told_late_takes_nothing_back(database: str) -> None:
    made("shop", "read")
    key_id, now = str(listed()["shop"]["id"]), datetime.now(UTC)
    with Database(database, "test") as opened:
        for at in (now, now - timedelta(minutes=1)):
            with opened.transaction() as tx:
                note_used(tx, {key_id: at, "f" * 16: at})
    assert datetime.fromisoformat(str(listed()["shop"]["last_used_at"])) == now


def test_a_key_is_printed_alone_and_told_of_beside() -> None:
    made_ = CliRunner().invoke(app, ["api-keys", "create", "shop", "--scope=read", "--expires=90d"])
    assert re.fullmatch(r"rb_[0-9a-f]{16}_[0-9a-f]{64}\n", made_.stdout)
    assert "keep the key now" in made_.stderr
    assert made_.stdout.strip() not in made_.stderr
    rotated = json.loads(run("rotate", "shop", "--json", "--grace=1h"))
    assert rotated["key"][:20] == made_.stdout[:20]
    assert rotated["expires_at"] > rotated["former_until"]
    assert [line.split()[:4] for line in run("list").splitlines()[1:]] == [
        [rotated["id"], "shop", "read", "in"]  # in grace
    ]


async def test_without_postgres_known_keys_open_and_unknown_ones_may_come_again(
    client: httpx.AsyncClient, database: str
) -> None:
    key = made("shop", "read")
    assert await status(client, key) == 404
    name = str(conninfo_to_dict(database)["dbname"])
    async with await psycopg.AsyncConnection.connect(
        database, dbname="postgres", autocommit=True
    ) as connection:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        try:
            await until(client, UNKNOWN, 503)
            answer = await client.get(NOWHERE, headers={"Authorization": UNKNOWN})
            assert answer.json()["error"]["code"] == "UNAVAILABLE"
            assert answer.headers["Retry-After"]
            assert await status(client, key) == 404
            assert await status(client, "k") == 404
            assert await status(client, "other") == 401
        finally:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    assert await until(client, UNKNOWN, 401) < 4 * FRESH_S
    assert await status(client, key) == 404


def test_wrong_commands_are_told() -> None:
    made("shop", "read")
    with pytest.raises(Conflict, match="there is a key shop"):
        made("shop", "read")
    with pytest.raises(BadInput, match="raed"):
        made("other", "raed")
    for wrong in ("24", "nan", "-1h", "1y", "999999d"):
        with pytest.raises(BadInput, match="grace: send a span"):
            run("rotate", "shop", f"--grace={wrong}")
    with pytest.raises(NotFound, match="no API key nobody"):
        run("revoke", "nobody")
    run("revoke", str(listed()["shop"]["id"]))
    with pytest.raises(NotFound):
        run("rotate", "shop")


def _dsn() -> str:
    from pipeline.settings import settings

    return settings().postgres_dsn.get_secret_value()
