"""Who is about to be shown personal data is told in the audit log before, by as few transactions as there can be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from gateway.gathering import Gathering
from pipeline import metrics
from pipeline.audit.entry import AuditEntry
from pipeline.errors import AuditUnavailable, RetryLater
from pipeline.log import get_logger

MOST_TOGETHER = 100
MOST_WAITING = 2_000
"""Some seconds' worth: who came behind them would be told too late to be of use."""
_PATIENCE_S = 5.0
_NOT_SHOWN = "the audit log cannot be written now, and what it does not tell of is not shown; try again"


class Write(Protocol):
    """Stores entries, all or none."""

    async def __call__(self, entries: Sequence[AuditEntry]) -> None:
        """Once it returns they are committed; it raises where they are not, or nobody knows."""

    async def close(self) -> None:
        """Let go of what it holds."""


class AuditLog:
    """Used by one event loop. `close` it."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._entries = Gathering(self._written, MOST_TOGETHER)

    async def tell(self, entry: AuditEntry) -> None:
        """Returns once the entry is committed. Raises AuditUnavailable where it cannot be: show nothing then."""
        if self._entries.waiting >= MOST_WAITING:
            raise AuditUnavailable(f"{MOST_WAITING} others wait to be told of in the audit log; try again")
        try:
            with metrics.AUDIT_WRITE_SECONDS.time():
                async with asyncio.timeout(_PATIENCE_S):
                    await self._entries.ask(entry)
        except TimeoutError as exc:
            raise AuditUnavailable(_NOT_SHOWN) from exc

    async def _written(self, entries: Sequence[AuditEntry]) -> Sequence[None]:
        try:
            await self._write(entries)
        except Exception as exc:  # whatever it is: what cannot be told is not shown
            if isinstance(exc, RetryLater):
                get_logger().warning("the audit log cannot be written", cause=type(exc).__name__)
            else:
                get_logger().error("the audit log cannot be written", exc_info=exc)
            raise AuditUnavailable(_NOT_SHOWN) from exc
        return [None] * len(entries)

    async def close(self) -> None:
        """Write what waits, and let go of what it is written by."""
        await self._entries.close()
        await self._write.close()
