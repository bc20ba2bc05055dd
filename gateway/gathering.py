"""What many requests ask of a server at a moment is asked of it in one go: a round trip costs more than what it asks.

All that come while it answers gather and go together next: under load one asking serves many, and at leisure nobody
waits for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Got = TypeVar("Got")


class Gathering(Generic[Asked, Got]):
    """`act` answers up to `most` askings, each at its place, or raises for all of them. Used by one event loop."""

    def __init__(self, act: Callable[[Sequence[Asked]], Awaitable[Sequence[Got]]], most: int) -> None:
        self._act = act
        self._most = most
        self._waiting: list[tuple[Asked, asyncio.Future[Got]]] = []
        self._going: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many have asked and are not under way."""
        return len(self._waiting)

    async def ask(self, asked: Asked) -> Got:
        """The answer to this one. Raises what `act` does; who is cancelled holds up nobody."""
        answer: asyncio.Future[Got] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._going is None:
            self._going = asyncio.create_task(self._go_on(), name="gathering")
        return await answer

    async def _go_on(self) -> None:
        """Until nobody waits. For who has gone nothing is done."""
        while self._waiting:
            waiting = [one for one in self._waiting if not one[1].done()]
            some, self._waiting = waiting[: self._most], waiting[self._most :]
            if some:
                await self._together(some)
        self._going = None

    async def _together(self, some: Sequence[tuple[Asked, asyncio.Future[Got]]]) -> None:
        try:
            answers = await self._act([asked for asked, _ in some])
        except Exception as exc:
            for _, answer in some:
                if not answer.done():  # else its asker has gone
                    answer.set_exception(exc)
            return
        for (_, answer), got in zip(some, answers, strict=True):
            if not answer.done():
                answer.set_result(got)

    async def close(self) -> None:
        """Wait until all that asked are answered."""
        if self._going is not None:
            await self._going
