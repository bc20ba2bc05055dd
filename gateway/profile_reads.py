"""What the view of a profile is read from: its state in Redis, and its sealed records in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import DictRow
from redis.asyncio import Redis

from gateway.gathering import Gathering
from gateway.store import Store

_TOGETHER = 100
_FEW = 20
"""Who asks for more records than these keeps nobody else waiting for them."""


class ProfileReads:
    """Reads for many requests at a time."""

    def __init__(self, redis: Redis, store: Store) -> None:
        self._redis = redis
        self._store = store
        self._states = Gathering(self._read_states, _TOGETHER)
        self._records = Gathering(self._read_records, _TOGETHER)

    async def state(self, profile_id: UUID) -> str | None:
        """What the cache holds of a profile. Raises RedisError, OSError."""
        return await self._states.ask(profile_id)

    async def records(self, record_ids: Sequence[UUID]) -> list[DictRow]:
        """Rows of the query `read_records`. Raises StoreUnavailable."""
        if len(record_ids) > _FEW:
            return await self._store.rows("read_records", [list(record_ids)])
        return await self._records.ask(record_ids)

    async def _read_states(self, profile_ids: Sequence[UUID]) -> list[str | None]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for one in profile_ids:
                pipeline.hget(f"rb:profile:{one}", "state")
            found: list[str | None] = await pipeline.execute()
        return found

    async def _read_records(self, asked: Sequence[Sequence[UUID]]) -> list[list[DictRow]]:
        wanted = list({record_id for one in asked for record_id in one})
        rows = {row["record_id"]: row for row in await self._store.rows("read_records", [wanted])}
        return [[rows[record_id] for record_id in one if record_id in rows] for one in asked]
