"""Blocking reads of the gateway: a few threads, each with a reader and a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from pipeline.customer.reading import CustomerReader

Answer = TypeVar("Answer")

READERS = 2
"""Comparing takes a processor: more of them would only take it from the other requests."""


class Readers:
    """Who asks while all of them read waits for the next that is free."""

    def __init__(self, make: Callable[[], CustomerReader], count: int = READERS) -> None:
        self._free: SimpleQueue[CustomerReader] = SimpleQueue()
        for _ in range(count):
            self._free.put(make())
        self._count = count
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="reader")

    async def read(self, act: Callable[[CustomerReader], Answer]) -> Answer:
        """What one of them reads. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, act)

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
