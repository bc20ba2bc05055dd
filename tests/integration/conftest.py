"""What several modules ask the gateway with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import gateway_over


@pytest_asyncio.fixture
async def client(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """The application over a fresh database, asked without a socket."""
    async with gateway_over(database, tmp_path, monkeypatch) as opened:
        yield opened
