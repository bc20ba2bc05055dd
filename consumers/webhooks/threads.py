"""What blocks, on threads: transactions on some connections, readers, and looking up names."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pipeline.changes.reader import Reader, opened
from pipeline.settings import Settings
from pipeline.store.database import Database, Transaction
from pipeline.store.roles import Role, as_role

_CONNECTIONS = 4
_LOOK_UPS = 32

Answer = TypeVar("Answer")


class Threads:
    """Of the process; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._dsn = as_role(settings, Role.WEBHOOKS)
        self._own = threading.local()
        self._databases: list[Database] = []
        self._store = ThreadPoolExecutor(_CONNECTIONS, "store", self._connect)
        self._readers = ThreadPoolExecutor(settings.webhook_max + 1, "read")
        self.names = ThreadPoolExecutor(_LOOK_UPS, "names")
        """For looking up names, which may hang."""

    def _connect(self) -> None:
        self._own.database = Database(self._dsn, "webhooks")
        self._databases.append(self._own.database)

    async def transaction(self, act: Callable[[Transaction], Answer]) -> Answer:
        """What `act` does in one transaction. Raises StoreUnavailable, TransactionConflict."""

        def run() -> Answer:
            database: Database = self._own.database
            with database.transaction() as tx:
                return act(tx)

        return await asyncio.get_running_loop().run_in_executor(self._store, run)

    async def reader(self, make: Callable[[], Reader]) -> Reader:
        """One that is made now."""
        return await opened(self._readers, make)

    async def read(self, call: Callable[[], Answer]) -> Answer:
        """What a reader does."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    def close(self) -> None:
        """Wait for what is under way, and let go of the connections."""
        self.names.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown()
        self._store.shutdown()
        for database in self._databases:
            database.close()
