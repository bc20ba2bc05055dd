"""Windows on their way from the panes to Redis.

    rb:insights:{window}          ZSET of the starts kept (epoch s)
    rb:insights:{window}:{start}  HASH [partition, channel, store] -> [events, orders, {currency: units}, profiles]
    rb:insights:newest            HASH partition -> end of its newest minute (epoch s)

Each worker writes the fields of its own partitions, whole values at a time: writing them again changes nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from consumers.panes import WINDOWS, Pane, PaneKey, Panes, WindowKey
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

    async def write(self) -> int:
        """Everything dirty; returns the number of panes. Raises CacheUnavailable, and then all panes are dirty."""
        written = 0
        try:
            while self._panes.dirty:
                chunk = [self._panes.dirty.pop() for _ in range(min(_CHUNK, len(self._panes.dirty)))]
                await self._write(chunk)
                written += len(chunk)
        except RedisError as exc:
            # what the server kept of earlier writes is not known
            self._panes.reload()
            raise CacheUnavailable(type(exc).__name__) from exc
        return written

    async def _write(self, dirty: Iterable[PaneKey]) -> None:
        hashes: dict[tuple[str, int], dict[_Field, _Field]] = defaultdict(dict)
        for key, pane in self._panes.windows(dirty):
            hashes[key[0], key[1]][_field(key)] = _value(pane)
        pipe = self._redis.pipeline(transaction=False)
        for (name, start), values in hashes.items():
            pipe.hset(f"rb:insights:{name}:{start}", mapping=values)
            pipe.zadd(f"rb:insights:{name}", {str(start): start})
        newest = self._panes.newest()
        if newest:
            pipe.hset("rb:insights:newest", mapping={str(p): end for p, end in newest.items()})
        await pipe.execute()
        for window in WINDOWS.values():
            await self._trim(keys=[f"rb:insights:{window.name}"], args=[window.kept])


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
