"""When API keys were last used: remembered here, and written once a minute, never by the request itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from pipeline.errors import RetryLater
from pipeline.log import get_logger

EVERY = timedelta(minutes=1)

Write = Callable[[Mapping[str, datetime]], None]


class KeyUses:
    """`write` keeps times by ids of keys and may block. Used by one event loop."""

    def __init__(self, write: Write, clock: Callable[[], datetime]) -> None:
        self._write = write
        self._clock = clock
        self._used: dict[str, datetime] = {}
        self._due = clock() + EVERY
        self._writing: asyncio.Task[None] | None = None

    def note(self, key_id: str) -> None:
        """A key was used just now."""
        now = self._clock()
        self._used[key_id] = now
        if now >= self._due:
            self._due = now + EVERY
            self._writing = asyncio.create_task(self.flush())

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
