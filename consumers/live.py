"""Windows on their way from the panes to Redis.

    rb:insights:{window}          ZSET of the starts kept (epoch s)
    rb:insights:{window}:{start}  HASH [partition, channel, store] -> [events, orders, {currency: units}, profiles]
    rb:insights:newest            HASH partition -> end of its newest minute (epoch s)

Each worker writes the fields of its own partitions, whole values at a time: writing them again changes nothing.
What nobody can ask for yet is not written: of the hopping windows over the newest pane all but one lie ahead.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Awaitable, Iterable
from functools import lru_cache
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from consumers.panes import WINDOWS, Pane, Panes, WindowKey
from consumers.redis_port import script_text
from pipeline.errors import CacheUnavailable

_Field = bytes | bytearray | memoryview | str | int | float  # what redis-py takes, spelt as it spells it
_CHUNK = 200  # panes a round: bounds how long the event loop does nothing else


class LiveWindows:
    """Writes the windows that changed."""

    def __init__(self, redis: Redis, panes: Panes) -> None:
        self._redis = redis
        self._panes = panes
        self._trim = redis.register_script(script_text("trim"))
        self._newest = 0

    async def write(self) -> int:
        """Everything dirty; returns the number of panes. Raises CacheUnavailable, and then all panes are dirty."""
        try:
            return await self._write_all()
        except RedisError as exc:
            # what the server kept of earlier writes is not known
            self._panes.reload()
            raise CacheUnavailable(type(exc).__name__) from exc

    async def _write_all(self) -> int:
        ends = self._panes.newest()
        # partitions of other workers may be ahead of ours
        others = await cast(Awaitable[list[str]], self._redis.hvals("rb:insights:newest"))
        newest = max((*ends.values(), *map(int, others)), default=0)
        if newest != self._newest:
            await self._write(self._panes.due(newest))
        written = 0
        while self._panes.dirty:
            chunk = [self._panes.dirty.pop() for _ in range(min(_CHUNK, len(self._panes.dirty)))]
            await self._write(self._panes.windows(chunk, newest))
            written += len(chunk)
        if written:  # at last, when all that may now be asked for is there
            mapping: dict[_Field, _Field] = {str(p): end for p, end in ends.items()}
            await self._redis.hset("rb:insights:newest", mapping=mapping)
        if newest != self._newest:
            for window in WINDOWS.values():
                await self._trim(keys=[f"rb:insights:{window.name}"], args=[window.kept])
        self._newest = newest
        return written

    async def _write(self, windows: Iterable[tuple[WindowKey, Pane]]) -> None:
        hashes: dict[tuple[str, int], dict[_Field, _Field]] = defaultdict(dict)
        for key, pane in windows:
            hashes[key[0], key[1]][_field(key)] = _value(pane)
        pipe = self._redis.pipeline(transaction=False)
        for (name, start), values in hashes.items():
            pipe.hset(f"rb:insights:{name}:{start}", mapping=values)
            pipe.zadd(f"rb:insights:{name}", {str(start): start})
        await pipe.execute()


def _field(key: WindowKey) -> str:
    return _name(*key[2:])


@lru_cache(maxsize=8_192)
def _name(partition: int, channel: str, store: str) -> str:
    return json.dumps([partition, channel, store])


def _value(pane: Pane) -> str:
    # currencies are three capital letters (consumers/insights.py): by hand this is five times as fast
    revenue = ",".join(f'"{currency}":{units}' for currency, units in pane.revenue.items())
    return f"[{pane.events},{pane.orders},{{{revenue}}},{pane.profiles.count()}]"


Partial = tuple[int, int, dict[str, int], int]  # events, orders, revenue in units, profiles


def read_field(field: str) -> tuple[int, str, str]:
    """Partition, channel and store of a field."""
    partition, channel, store = cast(tuple[int, str, str], tuple(json.loads(field)))
    return partition, channel, store


def read_value(value: str) -> Partial:
    """What a field holds."""
    events, orders, revenue, profiles = cast(Partial, tuple(json.loads(value)))
    return events, orders, revenue, profiles
