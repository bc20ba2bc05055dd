"""Servers that are away: typed 503s, local limits, and nothing accepted that is not stored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import create_connection
from uuid import uuid4

import httpx
import pytest

from pipeline.settings import Settings
from pipeline.store.database import Database
from tests.support.processes import PATIENCE_S, free_port, gateway, process

EVENT = {"source": "web", "event_type": "visit", "event_id": "7", "identifiers": {"crm_id": "C-17"}}


def nowhere(tmp_path: Path, **changes: object) -> Settings:
    """Settings whose servers all refuse connections."""
    port = free_port()
    values: dict[str, object] = {
        "home": tmp_path,
        "kafka_bootstrap": f"127.0.0.1:{port}",
        "postgres_dsn": f"postgresql://postgres@127.0.0.1:{port}/none",
        "redis_url": f"redis://127.0.0.1:{port}/0",
        "api_keys": "test-key",
        "produce_timeout_ms": 500,
        **changes,
    }
    return Settings.model_validate(values)


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == "UNAVAILABLE"
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "wait=5"}])
def test_no_202_without_the_broker(tmp_path: Path, prefer: dict[str, str]) -> None:
    with gateway(nowhere(tmp_path), tmp_path / "log") as client:
        one = client.post("/v1/events", json=EVENT, headers=prefer)
        assert_unavailable(one)
        assert one.json()["event_id"], "so that the retry is the same event"
        batch = client.post("/v1/events:batch", json={"events": [EVENT, {}]})
        assert_unavailable(batch)
        assert [r["status"] for r in batch.json()["results"]] == [503, 400]
        assert batch.json()["results"][0]["event_id"] == one.json()["event_id"]


def test_while_the_broker_is_away_no_more_is_taken_in_than_fits(tmp_path: Path) -> None:
    """Requests wait for the broker: the first of them fill what may be under way, and the others are told at once."""
    settings = nowhere(tmp_path, produce_timeout_ms=3_000, max_under_way_bytes=8_192)
    with gateway(settings, tmp_path / "log") as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/events", json=EVENT), range(8)))
        for answer in answers:
            assert_unavailable(answer)
        said = [answer.json()["error"]["message"] for answer in answers]
        assert "too much is under way; send it again later" in said
        assert client.get("/healthz").status_code == 200


def test_an_upload_that_does_not_come_is_ended(tmp_path: Path) -> None:
    with gateway(nowhere(tmp_path, body_timeout_ms=200), tmp_path / "log") as client:
        host, port = client.base_url.host, client.base_url.port
        with create_connection((host, port), timeout=20) as upload, upload.makefile("rb") as answer:
            head = (
                "POST /v1/events HTTP/1.1\r\nHost: g\r\nAuthorization: test-key\r\nContent-Length: 9\r\n\r\n"
            )
            upload.sendall(head.encode())
            told = answer.read()  # to the end of the connection
        assert told.startswith(b"HTTP/1.1 408 "), told
        assert b'"REQUEST_TIMEOUT"' in told


def test_reads_without_servers_are_typed_refusals(tmp_path: Path) -> None:
    with gateway(nowhere(tmp_path), tmp_path / "log") as client:
        some = uuid4()
        for path in (
            f"/v1/profiles/{some}",
            f"/v1/profiles/{some}/events",
            "/v1/profiles?crm_id=C-17",
            "/v1/merge-logs",
            "/v1/reviews",
            f"/v1/recommendations/{some}",
            "/v1/insights/live",
        ):
            assert_unavailable(client.get(path))
        assert_unavailable(client.post(f"/v1/merge-logs/{some}/rollback", json={"reason": "x"}))
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["status"] == "unavailable"
        assert {d["available"] for d in ready.json()["dependencies"].values()} == {False}
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_limits_hold_without_redis(tmp_path: Path) -> None:
    with gateway(nowhere(tmp_path, rate_limit_per_minute=3), tmp_path / "log") as client:
        statuses = [client.get("/v1/nowhere").status_code for _ in range(5)]
        assert statuses[:3] == [404, 404, 404]
        assert statuses[-1] == 429


def test_profiles_are_read_past_an_absent_cache(house: Settings, tmp_path: Path) -> None:
    settings = house.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0", "home": tmp_path})
    with gateway(settings, tmp_path / "log") as client:
        assert client.get(f"/v1/profiles/{uuid4()}").status_code == 404
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")


def test_a_key_whose_scopes_are_misspelt_opens_no_gateway(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process("gateway.server", nowhere(tmp_path, api_keys="a,b:raed"), log) as started:
        assert started.wait(PATIENCE_S) != 0
    assert "RB_API_KEYS: what follows the colon of key 2 is no list of scopes" in log.read_text()


@pytest.mark.parametrize("part", ["", "/summary"])  # a query by itself, and a snapshot
def test_connections_that_postgres_ended_cost_no_reader_an_answer(
    house: Settings, tmp_path: Path, part: str
) -> None:
    """As after it was started anew: those in the pool are all gone, and nobody asked them before."""
    path = f"/v1/profiles/{uuid4()}{part}"
    uncounted = house.model_copy(update={"rate_limit_per_minute": 0})
    with (
        gateway(uncounted, tmp_path / "log") as client,
        ThreadPoolExecutor(8) as pool,
        Database(house.postgres_dsn.get_secret_value(), "test") as database,
    ):
        for _ in range(3):
            answers = list(pool.map(lambda _: client.get(path).status_code, range(40)))
            assert answers == [404] * 40
            with database.transaction() as tx:
                ended = tx.connection.execute(
                    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
                    "WHERE application_name = 'gateway' AND datname = current_database()"
                ).fetchone()
            assert ended is not None
            assert ended[0] >= 1
        assert client.get(path).status_code == 404
