"""Who is about to be shown personal data is told in the audit log before, by as few transactions as there can be.

All that wait at a moment are told of in one transaction, and meanwhile the next gather: under load a transaction tells
of many, and at leisure nobody waits for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

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


class _Waiting(NamedTuple):
    entry: AuditEntry
    told: asyncio.Future[None]


class AuditLog:
    """Used by one event loop. `close` it."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def tell(self, entry: AuditEntry) -> None:
        """Returns once the entry is committed. Raises AuditUnavailable where it cannot be: show nothing then."""
        if len(self._waiting) >= MOST_WAITING:
            raise AuditUnavailable(f"{MOST_WAITING} others wait to be told of in the audit log; try again")
        told = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(entry, told))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_on(), name="audit")
        try:
            with metrics.AUDIT_WRITE_SECONDS.time():
                async with asyncio.timeout(_PATIENCE_S):
                    await told
        except TimeoutError as exc:
            raise AuditUnavailable(_NOT_SHOWN) from exc

    async def _write_on(self) -> None:
        """Until nobody waits."""
        while self._waiting:
            some, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            error = await self._written([one.entry for one in some])
            for one in some:
                if one.told.done():  # its caller has gone
                    continue
                if error is None:
                    one.told.set_result(None)
                else:
                    one.told.set_exception(error)
        self._writing = None

    async def _written(self, entries: Sequence[AuditEntry]) -> AuditUnavailable | None:
        try:
            await self._write(entries)
        except Exception as exc:  # whatever it is: what cannot be told is not shown
            if isinstance(exc, RetryLater):
                get_logger().warning("the audit log cannot be written", cause=type(exc).__name__)
            else:
                get_logger().error("the audit log cannot be written", exc_info=exc)
            return AuditUnavailable(_NOT_SHOWN)
        return None

    async def close(self) -> None:
        """Write what waits, and let go of what it is written by."""
        if self._writing is not None:
            await self._writing
        await self._write.close()
