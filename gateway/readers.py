"""Blocking reads of the gateway: a few threads, each with a reader and a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from pipeline.customer.reading import CustomerReader
from pipeline.errors import ReadersBusy

Answer = TypeVar("Answer")

READERS = 2
"""Comparing takes a processor: more of them would only take it from the other requests."""

MOST_WAITING = 32
"""At some hundred milliseconds each, who came behind them would wait for seconds, and maybe listen no more."""


class Readers:
    """Who asks while all of them read waits for the next that is free, unless too many do already."""

    def __init__(self, make: Callable[[], CustomerReader], count: int = READERS) -> None:
        self._free: SimpleQueue[CustomerReader] = SimpleQueue()
        for _ in range(count):
            self._free.put(make())
        self._count = count
        self._asked = 0
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="reader")

    async def read(self, act: Callable[[CustomerReader], Answer]) -> Answer:
        """What one of them reads. Raises ReadersBusy, and what it raises."""
        if self._asked >= self._count + MOST_WAITING:
            raise ReadersBusy(f"{MOST_WAITING} others wait to search or compare; try again")
        self._asked += 1
        reading = asyncio.get_running_loop().run_in_executor(self._threads, self._run, act)
        reading.add_done_callback(self._ended)
        return await reading

    def _ended(self, _: asyncio.Future[Answer]) -> None:
        self._asked -= 1

    def _run(self, act: Callable[[CustomerReader], Answer]) -> Answer:
        reader = self._free.get()
        try:
            return act(reader)
        finally:
            self._free.put(reader)

    def close(self) -> None:
        """Let go of the connections, once what is under way is read."""
        for _ in range(self._count):
            self._threads.submit(lambda: self._free.get().close())
        self._threads.shutdown(wait=False)
