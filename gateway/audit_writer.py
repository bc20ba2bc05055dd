"""Writes entries of the audit log from asyncio, each call in one statement that is a transaction by itself.

On the event loop and not on a thread: a thread would wait for the interpreter's lock at each step, and all readers for
the thread.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import LiteralString

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import TupleRow

from pipeline.audit.entry import AuditEntry
from pipeline.store.audit import as_json
from pipeline.store.database import sql, translated
from pipeline.store.roles import with_options

_UNUSED_S = 0.01
"""Whether a connection that was not used for so long is still there is asked first. What was sent and not answered may
have been committed, and is not sent again, so that nothing is told twice."""
_OPTIONS = "-c statement_timeout=5s"
_PATIENCE_S = 6.0
"""Longer than Postgres has for a statement: of a connection that is silent by then nothing is to be expected."""


class AuditWriter:
    """One connection, opened when first needed and anew after it broke. One call at a time."""

    def __init__(self, dsn: str) -> None:
        self._dsn = with_options(dsn, _OPTIONS)
        self._connection: AsyncConnection[TupleRow] | None = None
        self._used_at = 0.0

    async def __call__(self, entries: Sequence[AuditEntry]) -> None:
        """Once it returns they are committed. Raises StoreUnavailable, psycopg.Error: they are not, or nobody knows."""
        with translated():
            connection = await self._connected()
            await self._run(connection, sql("insert_audit_entries"), as_json(entries))
        self._used_at = time.monotonic()

    async def _run(
        self, connection: AsyncConnection[TupleRow], query: LiteralString, *parameters: object
    ) -> None:
        """Closes a connection that fails, or says nothing for so long."""
        ending = asyncio.get_running_loop().call_later(_PATIENCE_S, _end, connection)
        try:
            await connection.execute(query, parameters)
        except OperationalError:
            await self.close()
            raise
        finally:
            ending.cancel()

    async def _connected(self) -> AsyncConnection[TupleRow]:
        if self._connection is not None and time.monotonic() - self._used_at > _UNUSED_S:
            with suppress(OperationalError):
                await self._run(self._connection, "SELECT 1")
        if self._connection is None:
            self._connection = await AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                application_name="gateway-audit",
                connect_timeout=2,
                prepare_threshold=1,
            )
        return self._connection

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


def _end(connection: AsyncConnection[TupleRow]) -> None:
    """End it as if the server had. Who waits for its answer could not be cancelled: that would wait for it as well."""
    with suppress(OSError, OperationalError), socket.socket(fileno=os.dup(connection.fileno())) as silent:
        silent.shutdown(socket.SHUT_RDWR)
