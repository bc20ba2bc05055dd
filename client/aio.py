"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TypeVar

import httpx

from client.call import Attempts, Call
from client.feed import Change, Reading
from client.sync import TIMEOUT_S

T = TypeVar("T")


class AsyncRetailBrain:
    """A pool of connections to one gateway, for one event loop."""

    def __init__(self, url: str, api_key: str, *, patience_s: float = 60.0) -> None:
        """`patience_s`: how long a call is tried while the gateway is away or says that it cannot."""
        self._http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=TIMEOUT_S, trust_env=False
        )
        self._patience_s = patience_s

    async def ask(self, call: Call[T]) -> T:
        """What comes of a call. Raises RequestRefused, GatewayUnavailable."""
        attempts = Attempts(self._patience_s)
        while True:
            request = call.request(self._http)
            try:
                answer = await self._http.send(request)
                wait_s = attempts.after(answer)
            except httpx.TransportError as exc:
                wait_s = attempts.without(exc)
            if wait_s is None:
                return call.read(answer.content)
            await asyncio.sleep(wait_s)

    async def ask_all(self, calls: Iterable[Call[T]], in_flight: int = 4) -> AsyncIterator[T]:
        """What comes of many calls, in their order; at most `in_flight` at once. Raises what `ask` raises."""
        waiting: deque[asyncio.Task[T]] = deque()
        try:
            for call in calls:
                if len(waiting) >= in_flight:
                    yield await waiting.popleft()
                waiting.append(asyncio.create_task(self.ask(call)))
            while waiting:
                yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()

    async def changes(self, reading: Reading) -> AsyncIterator[Change]:
        """Changes as they come, without end; as `RetailBrain.changes`."""
        while True:
            try:
                async with self._stream(reading) as answer:
                    if answer.is_error:
                        await answer.aread()
                    wait_s = reading.begin(answer)
                    if wait_s is None:
                        async for line in answer.aiter_lines():
                            if (change := reading.line(line)) is not None:
                                yield change
            except httpx.TransportError as exc:
                wait_s = reading.lost(exc)
            await asyncio.sleep(reading.pause_s if wait_s is None else wait_s)

    @asynccontextmanager
    async def _stream(self, reading: Reading) -> AsyncIterator[httpx.Response]:
        answer = await self._http.send(reading.request(self._http), stream=True)
        try:
            yield answer
        finally:
            await answer.aclose()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncRetailBrain:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()
