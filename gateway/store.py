"""Reads Postgres from asyncio: named queries of pipeline/store/sql/reads.sql on a pool of read-only connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from pipeline.store.database import sql, translated

_CONNECTIONS = 8
_WAIT_S = 2.0


async def _configure(connection: AsyncConnection[DictRow]) -> None:
    await connection.set_autocommit(True)
    await connection.set_read_only(True)
    connection.prepare_threshold = 1
    await connection.execute("SET statement_timeout = '5s'")


class _Lost(OperationalError):
    """The connection was gone, not the query wrong."""


class Store:
    """A pool that connects when it can. `open` before use, `close` after."""

    def __init__(self, dsn: str, name: str = "gateway", connections: int = _CONNECTIONS) -> None:
        self._pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
            dsn,
            kwargs={"row_factory": dict_row, "application_name": name, "connect_timeout": 2},
            min_size=1,
            max_size=connections,
            timeout=_WAIT_S,
            max_waiting=1_000,
            reconnect_timeout=10,
            configure=_configure,
            open=False,
        )

    async def open(self) -> None:
        """Start connecting in the background."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close(timeout=2)

    async def rows(
        self, query: str, parameters: Mapping[str, object] | Sequence[object] = ()
    ) -> list[DictRow]:
        """All rows of the named query. Raises StoreUnavailable."""
        with translated():
            try:
                return await self._rows(query, parameters)
            except _Lost:
                # Postgres ended it, as when it starts anew, and most likely the others too. To ask each connection
                # before it is used would cost every read a round trip.
                await self._pool.check()
                return await self._rows(query, parameters)

    async def _rows(self, query: str, parameters: Mapping[str, object] | Sequence[object]) -> list[DictRow]:
        async with self._pool.connection() as connection:
            try:
                cursor = await connection.execute(sql(query), parameters, binary=True)
                return await cursor.fetchall()
            except OperationalError as exc:
                if connection.broken:
                    raise _Lost(str(exc)) from exc
                raise

    async def profiles_of(self, event_ids: Sequence[UUID]) -> dict[UUID, UUID | None]:
        """The committed ones among the events, each with its profile (None: it names nobody)."""
        rows = await self.rows("read_event_profiles", [list(event_ids)])
        return {row["event_id"]: row["profile_id"] for row in rows}
