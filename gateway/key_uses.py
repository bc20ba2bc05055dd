"""When API keys were last used: remembered here, and written once a minute, never by the request itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from pipeline.errors import RetryLater
from pipeline.log import get_logger

EVERY_S = 60.0

Write = Callable[[Mapping[str, datetime]], None]


class KeyUses:
    """`write` keeps times by ids of keys and may block. Used by one event loop. `close` it."""

    def __init__(self, write: Write, clock: Callable[[], datetime], every_s: float = EVERY_S) -> None:
        self._write = write
        self._clock = clock
        self._every_s = every_s
        self._used: dict[str, datetime] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, key_id: str) -> None:
        """A key was used just now."""
        self._used[key_id] = self._clock()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_on())

    async def _write_on(self) -> None:
        """Whether or not another request comes; until there is nothing to write."""
        while self._used:
            await asyncio.sleep(self._every_s)
            await self.flush()
        self._writing = None

    async def close(self) -> None:
        """Write what was noted, a last time."""
        if self._writing is not None:
            self._writing.cancel()
        await self.flush()

    async def flush(self) -> None:
        """Write what was noted since. What cannot be written now is kept for the next time."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await asyncio.to_thread(self._write, used)
        except Exception as exc:
            self._used = {**used, **self._used}
            if isinstance(exc, RetryLater):
                get_logger().warning("uses of API keys are written later", cause=type(exc).__name__)
            else:
                get_logger().error("uses of API keys are written later", exc_info=exc)
