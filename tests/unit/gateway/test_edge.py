"""What every answer carries, errors nobody foresaw among them; and pages of other origins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.app import create_app
from gateway.producer import MemorySender
from gateway.server import make_ports
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

SHOP = "https://shop.example.com"


@asynccontextmanager
async def gateway(home: Path, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings.model_validate({"home": home, "api_keys": "k", "rate_limit_per_minute": 0, **changes})
    app = create_app(make_ports(settings, MemorySender()))

    async def broken() -> None:
        raise ValueError("anna@postbox.io")

    app.get("/broken")(broken)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def test_every_answer_carries_security_headers(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        for path, status in (
            ("/healthz", 200),
            ("/v1/profiles", 401),
            ("/nowhere", 404),
            ("/broken", 500),
            ("/docs", 200),
            ("/docs/docs.js", 200),
            ("/docs/events", 200),
            ("/openapi.json", 200),
            ("/metrics", 200),
        ):
            answer = await client.get(path, headers={"X-Request-ID": "r-1"})
            assert answer.status_code == status, path
            headers = answer.headers
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["X-Frame-Options"] == "DENY", path
            assert headers["Referrer-Policy"] == "no-referrer", path
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
            assert headers.get_list("Content-Security-Policy")[1:] == [], path
            assert "default-src 'none'" in headers["Content-Security-Policy"], path
            assert headers["Cache-Control"] == "no-store", path
            assert headers["X-Request-ID"] == "r-1", path
            assert "Strict-Transport-Security" not in headers, path
            assert "Server" not in headers, path
        policy = (await client.get("/docs")).headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "connect-src 'self'" in policy
    async with gateway(tmp_path, hsts_max_age_s=3600) as client:
        answer = await client.get("/nowhere")
        assert answer.headers["Strict-Transport-Security"] == "max-age=3600"


async def test_what_nobody_foresaw_is_500_in_the_envelope_and_logged(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        with capture_logs() as logs:
            answer = await client.get("/broken")
        assert answer.json()["error"]["code"] == "INTERNAL_ERROR"
        assert answer.json()["error"]["request_id"] == answer.headers["X-Request-ID"]
        assert "anna" not in answer.text
        (told,) = logs
        assert told["request_id"] == answer.headers["X-Request-ID"]
        counted = (await client.get("/metrics")).text
        assert 'rb_http_request_seconds_count{method="GET",route="/broken",status="5xx"}' in counted


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }


async def test_no_other_origin_may_call_unless_it_is_named(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        asked = await client.options("/v1/events", headers=preflight(SHOP))
        assert asked.status_code == 401
        answer = await client.get("/healthz", headers={"Origin": SHOP})
        for headers in (asked.headers, answer.headers):
            assert not [name for name in headers if name.startswith("access-control")]


async def test_a_named_origin_asks_first_and_reads_refusals(tmp_path: Path) -> None:
    async with gateway(tmp_path, cors_origins=f"http://localhost:3000, {SHOP}") as client:
        asked = await client.options("/v1/events", headers=preflight(SHOP))
        assert asked.status_code == 200, "a browser asks without a key"
        assert asked.headers["Access-Control-Allow-Origin"] == SHOP
        assert "POST" in asked.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in asked.headers
        assert asked.headers["X-Content-Type-Options"] == "nosniff"
        assert asked.headers["X-Request-ID"]
        for headers, status in (({}, 401), ({"Authorization": "k"}, 400)):
            answer = await client.get("/v1/profiles", headers={"Origin": SHOP, **headers})
            assert answer.status_code == status
            assert answer.headers["Access-Control-Allow-Origin"] == SHOP
            assert "RateLimit-Remaining" in answer.headers["Access-Control-Expose-Headers"]
        other = "https://shop.example.com.evil.example"
        assert (await client.options("/v1/events", headers=preflight(other))).status_code == 400
        answer = await client.get("/v1/profiles", headers={"Origin": other, "Authorization": "k"})
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("wrong", ["*", "shop.example.com", f"{SHOP}/", "https://Shop.example.com", "null"])
async def test_what_is_no_origin_opens_no_gateway(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="RB_CORS_ORIGINS"):
        async with gateway(tmp_path, cors_origins=wrong):
            pass
