"""The gateway's application over a database, asked without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.producer import MemorySender
from gateway.server import make_ports
from pipeline.settings import Settings
from tests.support.people import ring


@asynccontextmanager
async def gateway_over(
    database: str, home: Path, monkeypatch: pytest.MonkeyPatch, **changes: object
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key, under the key ring of the tests; `changes` are settings."""
    monkeypatch.setattr("gateway.server.load_key_ring", lambda settings: ring())
    settings = Settings.model_validate(
        {
            "home": home,
            "api_keys": "k",
            "postgres_dsn": database,
            "rate_limit_per_minute": 0,
            "refused_limit_per_minute": 0,
            **changes,
        }
    )
    app = create_app(make_ports(settings, MemorySender()))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway",
            headers={"Authorization": "Bearer k"},
        ) as client,
    ):
        yield client
