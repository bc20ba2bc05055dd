"""The cache: the newest state of every profile in Redis, for reads that should not reach Postgres.

`rb:profile:{profile_id}` is a hash of `version` and `state`, the PII-free ProfileState of `profiles.updates` as JSON.
A merged profile keeps its state as a redirect (`merged_into`); an erased one has no key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import orjson
from redis import Redis

from consumers.loop import run
from consumers.redis_port import script_text, translated
from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.settings import Settings

_CHUNK = 500  # states a script call: bounds how long Redis does nothing else


@dataclass(frozen=True, slots=True)
class ProfileFact:
    """A profile's state as JSON at a version; no version: the profile was erased."""

    profile_id: str
    version: int | None
    state: bytes


def profile_id_of(key: bytes | None) -> str:
    """The profile a message's key names, in canonical form. Raises BadMessage."""
    try:
        return str(UUID((key or b"").decode()))
    except ValueError:
        raise BadMessage(ReasonCode.SCHEMA_VIOLATION, "key: has to be a profile id") from None


class Cache:
    """The projection (`consumers.loop.Projection`) behind cached profile reads."""

    name = "cache"
    topics = ("profiles.updates",)

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(script_text("cache"))

    def read(self, topic: str, key: bytes | None, value: Mapping[str, object] | None) -> ProfileFact:
        """See `Projection`."""
        profile_id = profile_id_of(key)
        if value is None:
            return ProfileFact(profile_id, None, b"")
        return ProfileFact(profile_id, cast(int, value["version"]), orjson.dumps(value))

    def apply(self, facts: Sequence[ProfileFact]) -> None:
        """See `Projection`."""
        for start in range(0, len(facts), _CHUNK):
            chunk = facts[start : start + _CHUNK]
            values = [v for f in chunk for v in ("" if f.version is None else f.version, f.state)]
            with translated():
                self._script(keys=[f"rb:profile:{f.profile_id}" for f in chunk], args=values)

    def rest(self) -> None:
        """See `Projection`."""


def main(settings: Settings) -> None:
    """Run the cache consumer until SIGTERM."""
    run(settings, Cache)
