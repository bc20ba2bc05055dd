"""What requests under way may hold is bounded: more is refused at once, and taken once there is room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gateway.body import Bounds
from gateway.edge import Edge
from gateway.guard import Guard
from gateway.limiter import LocalLimiter
from gateway.quotas import Quotas
from gateway.under_way import LEAST_BYTES, UnderWay
from pipeline.settings import Settings
from tests.support.keys import keys_of

MOST = 4 * LEAST_BYTES


class Slow:
    """An application that reads the body, and answers when it is let."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.began = asyncio.Condition()
        self.begun = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        async with self.began:
            self.begun += 1
            self.began.notify_all()
        if scope["path"] != "/healthz":
            await self.free.wait()
        await PlainTextResponse(str(len(body)))(scope, receive, send)


def client_of(app: Slow, under_way: UnderWay) -> httpx.AsyncClient:
    quotas = Quotas(Settings.model_validate({"rate_limit_per_minute": 0}), b"secret")
    bounds = Bounds(2 * MOST, 10.0, under_way)
    edge = Edge(Guard(app, keys_of("key"), LocalLimiter(), quotas, bounds), hsts_max_age_s=0)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(edge), base_url="http://gateway", headers={"Authorization": "key"}
    )


async def parts(size: int, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def begun(app: Slow, count: int) -> None:
    async with asyncio.timeout(10):
        async with app.began:
            await app.began.wait_for(lambda: app.begun >= count)


def assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "UNAVAILABLE"
    assert int(answer.headers["Retry-After"]) >= 1


def test_what_is_too_much_is_refused_and_taken_once_there_is_room() -> None:
    async def run() -> None:
        app, under_way = Slow(), UnderWay(MOST)
        async with client_of(app, under_way) as client:
            large = asyncio.create_task(client.post("/v1/events", content=b"x" * (MOST - LEAST_BYTES)))
            small = asyncio.create_task(client.post("/v1/events", content=b"x"))
            await begun(app, 2)
            assert_refused(await client.post("/v1/events", content=b"x"))
            assert_refused(await client.post("/v1/events", content=parts(10, 1)))
            assert_refused(await client.get("/v1/profiles"))
            assert (await client.get("/healthz")).status_code == 200
            app.free.set()
            assert [r.status_code for r in await asyncio.gather(large, small)] == [200, 200]
            assert (await client.post("/v1/events", content=b"x" * MOST)).text == str(MOST)
            alone = await client.post("/v1/events", content=b"x" * (MOST + 1))
            assert alone.text == str(MOST + 1), "by itself anything within max_body_bytes passes"
            assert (await client.post("/v1/events", content=b"x" * (2 * MOST + 1))).status_code == 413
        assert under_way.held == 0

    asyncio.run(run())


def test_a_body_whose_length_is_not_told_counts_as_it_is_read() -> None:
    async def run() -> None:
        app, under_way = Slow(), UnderWay(MOST)
        async with client_of(app, under_way) as client:
            first = asyncio.create_task(client.post("/v1/events", content=b"x" * 2 * LEAST_BYTES))
            await begun(app, 1)
            assert_refused(await client.post("/v1/events", content=parts(LEAST_BYTES, 3)))
            app.free.set()
            assert (await first).status_code == 200
            assert (await client.post("/v1/events", content=parts(LEAST_BYTES, 4))).text == str(MOST)
            assert (await client.post("/v1/events", content=parts(MOST, 3))).status_code == 413
        assert under_way.held == 0

    asyncio.run(run())
