"""`Prefer: wait`: requests that wait until their event is resolved share one look-up each 25 ms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from pipeline.errors import RetryLater

_POLL_S = 0.025
_AWAY_S = 0.5


@dataclass(frozen=True, slots=True)
class Resolved:
    """An event is committed; `profile_id` is None where it names nobody."""

    profile_id: UUID | None


LookUp = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, UUID | None]]]


class Waiters:
    """`look_up` answers the committed ones among event ids, each with its profile."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._waiting: dict[UUID, set[asyncio.Future[Resolved | None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    async def wait(self, event_id: UUID, seconds: float) -> Resolved | None:
        """The outcome, or None where it did not come in time or the gateway stops."""
        if self._stopped or seconds <= 0:
            return None
        future: asyncio.Future[Resolved | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(event_id, set()).add(future)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            futures = self._waiting.get(event_id, set())
            futures.discard(future)
            if not futures:
                self._waiting.pop(event_id, None)

    async def _poll(self) -> None:
        while self._waiting:
            pause = _POLL_S
            try:
                found = await self._look_up(list(self._waiting))
            except RetryLater:  # the event is accepted whatever happens here; the waiter gets its 202
                found, pause = {}, _AWAY_S
            for event_id, profile_id in found.items():
                for future in self._waiting.pop(event_id, set()):
                    if not future.done():
                        future.set_result(Resolved(profile_id))
            await asyncio.sleep(pause)

    def stop(self) -> None:
        """Let everybody go; nobody waits from now on."""
        self._stopped = True
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)
