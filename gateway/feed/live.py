"""What all streams of a gateway share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from gateway.feed.ring import Ring
from pipeline.changes.change import Place
from pipeline.changes.position import Position
from pipeline.changes.reader import Reader, bounds, checked, opened
from pipeline.settings import Settings
from schemas.codec import Codec

Answer = TypeVar("Answer")


class Live:
    """The ring, a bell that rings when it took something, and threads for what blocks."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self.ring = Ring(settings.feed_ring_bytes)
        self.stopped = False
        self._settings = settings
        self._codec = codec
        self._bell = asyncio.Event()
        self._threads = ThreadPoolExecutor(settings.feed_max_subscribers + 1, thread_name_prefix="feed")

    def wake(self) -> None:
        """Something changed."""
        self._bell.set()
        self._bell = asyncio.Event()

    async def changed(self, seconds: float) -> None:
        """Returns once something did, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()

    async def reader(self, position: Position) -> Reader:
        """One that reads from a position on."""
        given = dict(position)
        return await opened(
            self._threads, lambda: Reader(self._settings, self._codec, given, "feed-catch-up")
        )

    async def beginning(self, topics: tuple[str, ...]) -> dict[Place, int]:
        """The oldest position of topics. Raises BrokerUnavailable."""
        held = await self.in_thread(lambda: bounds(self._settings, topics, "feed-bounds"))
        return {place: found.low for place, found in held.items()}

    async def in_log(self, position: Position) -> dict[Place, int]:
        """A position as it is to be read now. Raises PositionGone where the log does not hold it, BrokerUnavailable."""
        topics = {topic for topic, _ in position}
        return checked(position, await self.in_thread(lambda: bounds(self._settings, topics, "feed-bounds")))

    async def in_thread(self, call: Callable[[], Answer]) -> Answer:
        """What blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown()
