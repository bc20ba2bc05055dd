"""Reads Postgres from asyncio: named queries of pipeline/store/sql/reads.sql on a pool of read-only connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Protocol, TypeVar
from uuid import UUID

from psycopg import AsyncConnection, IsolationLevel, OperationalError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from pipeline.store.database import sql, translated

_CONNECTIONS = 8
_WAIT_S = 2.0

Parameters = Mapping[str, object] | Sequence[object]
Got = TypeVar("Got")


class Reads(Protocol):
    """Runs named queries."""

    async def rows(self, query: str, parameters: Parameters = ()) -> list[DictRow]:
        """All rows of the named query. Raises StoreUnavailable."""


async def _configure(connection: AsyncConnection[DictRow]) -> None:
    await connection.set_autocommit(True)
    await connection.set_read_only(True)
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    connection.prepare_threshold = 1
    await connection.execute("SET statement_timeout = '5s'")


class _Lost(OperationalError):
    """The connection was gone, not the query wrong."""


@contextmanager
def _telling_lost(connection: AsyncConnection[DictRow]) -> Iterator[None]:
    try:
        yield
    except OperationalError as exc:
        if connection.broken:
            raise _Lost(str(exc)) from exc
        raise


class _On:
    """Reads on one connection."""

    def __init__(self, connection: AsyncConnection[DictRow]) -> None:
        self._connection = connection

    async def rows(self, query: str, parameters: Parameters = ()) -> list[DictRow]:
        """As Reads says."""
        cursor = await self._connection.execute(sql(query), parameters, binary=True)
        return await cursor.fetchall()


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

    async def rows(self, query: str, parameters: Parameters = ()) -> list[DictRow]:
        """As Reads says: of what is committed when the query begins."""
        with translated():
            return await self._tried(lambda: self._rows(query, parameters))

    async def _rows(self, query: str, parameters: Parameters) -> list[DictRow]:
        async with self._pool.connection() as connection:
            with _telling_lost(connection):
                return await _On(connection).rows(query, parameters)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Reads]:
        """Reads of one moment, for answers of several queries: no merge commits between two of them. Holds a
        connection: ask for no other inside. Raises StoreUnavailable."""
        with translated():
            connection, held = await self._tried(self._begun)
            async with held:
                yield _On(connection)

    async def _begun(self) -> tuple[AsyncConnection[DictRow], AsyncExitStack]:
        """A connection inside a transaction, and what ends that and gives it back."""
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self._pool.connection())
            with _telling_lost(connection):
                await stack.enter_async_context(connection.transaction())
            return connection, stack.pop_all()

    async def _tried(self, act: Callable[[], Awaitable[Got]]) -> Got:
        try:
            return await act()
        except _Lost:
            # Postgres ended it, as when it starts anew, and most likely the others too. To ask each connection
            # before it is used would cost every read a round trip.
            await self._pool.check()
            return await act()

    async def profiles_of(self, event_ids: Sequence[UUID]) -> dict[UUID, UUID | None]:
        """The committed ones among the events, each with its profile (None: it names nobody)."""
        rows = await self.rows("read_event_profiles", [list(event_ids)])
        return {row["event_id"]: row["profile_id"] for row in rows}
