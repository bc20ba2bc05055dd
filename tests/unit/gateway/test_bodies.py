"""A body that is not taken is refused in the same words by every route, whoever reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from gateway.app import create_app
from gateway.producer import MemorySender
from gateway.server import make_ports
from gateway.under_way import LEAST_BYTES
from pipeline.settings import Settings

TYPED = (f"/v1/reviews/{uuid4()}/approve", "/v1/dead-letters:drop")
READ_BY_HAND = ("/v1/events", "/v1/events:batch")
REGISTRY = "/subjects/events.raw-value"
MOST = 4 * LEAST_BYTES


def client_of(home: Path, **changes: object) -> httpx.AsyncClient:
    values = {"home": home, "api_keys": "k", "rate_limit_per_minute": 0, "max_body_bytes": MOST, **changes}
    ports = make_ports(Settings.model_validate(values), MemorySender())
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(ports)),
        base_url="http://gateway",
        headers={"Authorization": "k"},
    )


async def parts(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * LEAST_BYTES


def said(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Connection"] == "close"
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("path", [*TYPED, *READ_BY_HAND, REGISTRY])
async def test_what_is_too_large_is_413_its_length_told_or_not(tmp_path: Path, path: str) -> None:
    async with client_of(tmp_path) as client:
        for content in (parts(5), b" " * (MOST + 1)):
            assert said(await client.post(path, content=content)) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("path", [*TYPED, *READ_BY_HAND, REGISTRY])
async def test_what_there_is_no_room_for_is_503_its_length_told_or_not(tmp_path: Path, path: str) -> None:
    begun, let = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b" " * 2 * LEAST_BYTES
        begun.set()
        await let.wait()

    async with client_of(tmp_path, max_under_way_bytes=MOST) as client:
        other = asyncio.create_task(client.post("/v1/events", content=slowly()))
        await begun.wait()
        for content in (parts(3), b" " * 3 * LEAST_BYTES):
            refused = await client.post(path, content=content)
            assert said(refused) == (503, "UNAVAILABLE")
            assert int(refused.headers["Retry-After"]) >= 1
        let.set()
        assert (await other).status_code == 400  # blanks are no event
