"""Reads that wait for a thread are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from threading import Event
from typing import cast

import httpx
import pytest
from fastapi import FastAPI

from gateway import envelope
from gateway.readers import MOST_WAITING, READERS, Readers
from pipeline.customer.reading import CustomerReader
from pipeline.errors import ReadersBusy


class Nothing:
    """Reads nothing."""

    def close(self) -> None:
        """Has nothing to let go of."""


@pytest.fixture
def readers() -> Iterator[Readers]:
    opened = Readers(lambda: cast(CustomerReader, Nothing()))
    yield opened
    opened.close()


async def test_who_finds_too_many_waiting_is_refused_until_they_are_served(readers: Readers) -> None:
    gate = Event()
    waiting = [
        asyncio.ensure_future(readers.read(lambda _: gate.wait(10))) for _ in range(READERS + MOST_WAITING)
    ]
    await asyncio.sleep(0)
    try:
        with pytest.raises(ReadersBusy):
            await asyncio.wait_for(readers.read(lambda _: True), 5)
    finally:
        gate.set()
    assert await asyncio.gather(*waiting) == [True] * len(waiting)
    assert await readers.read(lambda _: True)


async def test_one_that_fails_makes_room(readers: Readers) -> None:
    for _ in range(READERS + MOST_WAITING + 1):
        with pytest.raises(ZeroDivisionError):
            await readers.read(lambda _: 1 // 0)
    assert await readers.read(lambda _: True)


async def test_it_is_told_when_to_try_again() -> None:
    app = FastAPI()
    envelope.install(app)

    @app.get("/busy")
    async def busy() -> None:
        raise ReadersBusy("32 others wait")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.get("/busy")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["error"]["message"] == "32 others wait"
