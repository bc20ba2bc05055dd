"""What several modules ask the gateway with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from pipeline.settings import settings
from tests.support.gateway import gateway_over
from tests.support.people import ring


@pytest_asyncio.fixture
async def client(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """The application over a fresh database, asked without a socket."""
    async with gateway_over(database, tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def command_line(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands run in this process find a fresh database, and the tests' key ring."""
    monkeypatch.setenv("RB_HOME", str(tmp_path))
    monkeypatch.setenv("RB_POSTGRES_DSN", database)
    monkeypatch.setattr("pipeline.privacy.keyring.load_key_ring", lambda settings: ring())
    settings.cache_clear()
    yield
    settings.cache_clear()
