"""Writes entries of the audit log from asyncio, each call in one statement that is a transaction by itself.

On the event loop and not on a thread: a thread would wait for the interpreter's lock at each step, and all readers for
the thread.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import TupleRow

from pipeline.audit.entry import AuditEntry
from pipeline.store.audit import as_json
from pipeline.store.database import sql, translated

_UNUSED_S = 0.01
"""Whether a connection that was not used for so long is still there is asked first. What was sent and not answered may
have been committed, and is not sent again, so that nothing is told twice."""
_OPTIONS = "-c statement_timeout=5s"


class AuditWriter:
    """One connection, opened when first needed and anew after it broke. One call at a time."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: AsyncConnection[TupleRow] | None = None
        self._used_at = 0.0

    async def __call__(self, entries: Sequence[AuditEntry]) -> None:
        """Once it returns they are committed. Raises StoreUnavailable, psycopg.Error: they are not, or nobody knows."""
        with translated():
            connection = await self._connected()
            try:
                await connection.execute(sql("insert_audit_entries"), (as_json(entries),))
            except OperationalError:
                await self.close()
                raise
        self._used_at = time.monotonic()

    async def _connected(self) -> AsyncConnection[TupleRow]:
        if self._connection is not None and time.monotonic() - self._used_at > _UNUSED_S:
            try:
                await self._connection.execute("SELECT 1")
            except OperationalError:
                await self.close()
        if self._connection is None:
            self._connection = await AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                application_name="gateway-audit",
                connect_timeout=2,
                prepare_threshold=1,
                options=_OPTIONS,
            )
        return self._connection

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
