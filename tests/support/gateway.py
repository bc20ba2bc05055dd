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
    database: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key, under the key ring of the tests."""
    monkeypatch.setattr("gateway.server.load_key_ring", lambda settings: ring())
    settings = Settings.model_validate(
        {"home": home, "api_keys": "k", "postgres_dsn": database, "rate_limit_per_minute": 0}
    )
    ports = make_ports(settings, MemorySender())
    await ports.store.open()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(ports)),
        base_url="http://gateway",
        headers={"Authorization": "Bearer k"},
    ) as client:
        yield client
    ports.explain.close()
    await ports.store.close()
