"""A body that is not taken is refused in the same words by every route, whoever reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from starlette.types import Message

from gateway.app import create_app
from gateway.body import Body, Bounds
from gateway.producer import MemorySender
from gateway.server import make_ports
from gateway.under_way import LEAST_BYTES, UnderWay
from pipeline.settings import Settings

TYPED = (f"/v1/reviews/{UUID(int=1)}/approve", "/v1/dead-letters:drop")
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


async def test_who_announces_much_and_sends_nothing_keeps_nobody_out(tmp_path: Path) -> None:
    begun, let = asyncio.Event(), asyncio.Event()
    headers = {"Content-Length": str(MOST)}

    async def nothing() -> AsyncIterator[bytes]:
        begun.set()
        await let.wait()
        yield b" " * MOST

    async with client_of(tmp_path, max_under_way_bytes=MOST) as client:
        idle = asyncio.create_task(client.post("/v1/events", content=nothing(), headers=headers))
        await begun.wait()
        assert (await client.post("/v1/events", json={})).status_code == 400
        assert said(await client.post("/v1/events", content=b" " * MOST)) == (503, "UNAVAILABLE")
        let.set()
        assert (await idle).status_code == 400


@pytest.mark.parametrize("path", [*TYPED, *READ_BY_HAND, REGISTRY])
async def test_a_body_that_does_not_come_is_408(tmp_path: Path, path: str) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b" "
        await asyncio.Event().wait()

    async with client_of(tmp_path, body_timeout_ms=100) as client:
        async with asyncio.timeout(20):
            assert said(await client.post(path, content=never())) == (408, "REQUEST_TIMEOUT")
        assert (await client.post("/v1/events", json={})).status_code == 400


async def test_once_a_body_is_there_an_answer_may_take_longer() -> None:
    """Who waits for a disconnect, and is given nothing to read, waits as long as it takes."""
    gone = asyncio.Event()
    messages = [{"type": "http.request", "body": b"x"}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    body = Body(receive, Bounds(MOST, 0.01, UnderWay(MOST)))
    assert (await body.receive())["body"] == b"x"
    asyncio.get_running_loop().call_later(0.1, gone.set)
    assert (await body.receive())["type"] == "http.disconnect"
