"""What the consumers need of Redis, its errors translated once; a dictionary of positions for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Protocol, cast

from redis import Redis
from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import TimeoutError as RedisSlow

from pipeline.errors import CacheUnavailable, PositionFenced
from pipeline.settings import Settings
from pipeline.stream.batch import Advance, Place


def script_text(name: str) -> str:
    """The Lua script `consumers/lua/<name>.lua`."""
    return resources.files("consumers").joinpath("lua", f"{name}.lua").read_text("utf-8")


@contextmanager
def translated() -> Iterator[None]:
    """Errors of a Redis that is away, loading or full as CacheUnavailable; others pass as they are."""
    try:
        yield
    except (RedisGone, RedisSlow, BusyLoadingError, OutOfMemoryError, ReadOnlyError) as exc:
        raise CacheUnavailable(type(exc).__name__) from exc


def connect(settings: Settings) -> Redis:
    """A client that answers in text, and fails after 5 s rather than hang."""
    return Redis.from_url(
        settings.redis_url, decode_responses=True, socket_timeout=5.0, socket_connect_timeout=5.0
    )


class Positions(Protocol):
    """Where a consumer stands in each partition. One contract suite holds both implementations to it."""

    def load(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """The stored next offsets; places without one are left out. Raises CacheUnavailable."""

    def store(self, advances: Sequence[Advance]) -> None:
        """Keep the next offsets. Call once the effects stand.

        Raises CacheUnavailable; PositionFenced where an expected position is gone, and the effects with it.
        """


class RedisPositions:
    """`Positions` in the hash `rb:position:{consumer}`, field `topic:partition`."""

    def __init__(self, redis: Redis, consumer: str) -> None:
        self._redis = redis
        self._key = f"rb:position:{consumer}"
        self._store = redis.register_script(script_text("positions"))

    def load(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """See `Positions`."""
        if not places:
            return {}
        fields = [f"{topic}:{partition}" for topic, partition in places]
        with translated():
            found = cast(list[str | None], self._redis.hmget(self._key, fields))
        return {place: int(offset) for place, offset in zip(places, found, strict=True) if offset is not None}

    def store(self, advances: Sequence[Advance]) -> None:
        """See `Positions`."""
        args = [
            value
            for a in advances
            for value in (f"{a.topic}:{a.partition}", "" if a.expected is None else a.expected, a.next)
        ]
        with translated():
            if not self._store(keys=[self._key], args=args):
                raise PositionFenced("Redis lost its data: reading everything again")


class MemoryPositions:
    """`Positions` in memory; while `away` it cannot be reached."""

    def __init__(self) -> None:
        self.offsets: dict[Place, int] = {}
        self.away = False

    def load(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """See `Positions`."""
        self._reach()
        return {place: self.offsets[place] for place in places if place in self.offsets}

    def store(self, advances: Sequence[Advance]) -> None:
        """See `Positions`."""
        self._reach()
        if any(a.expected is not None and (a.topic, a.partition) not in self.offsets for a in advances):
            raise PositionFenced("lost")
        self.offsets |= {(a.topic, a.partition): a.next for a in advances}

    def _reach(self) -> None:
        if self.away:
            raise CacheUnavailable("away")
