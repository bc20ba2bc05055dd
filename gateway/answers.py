"""What was answered to writes that may be sent again, in Redis: sealed under the key ring, for a day."""

from __future__ import annotations

import base64
import hmac
import zlib
from dataclasses import dataclass
from importlib import resources
from typing import cast

import orjson
from redis.asyncio import Redis

from pipeline.errors import ConfigurationError, SealBroken
from pipeline.identity.ids import Id
from pipeline.log import get_logger
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import open_sealed, seal

KEPT_S = 86_400
UNDER_WAY_S = 60
MOST_CHARACTERS = 1_048_576
"""Of a sealed answer. Ten thousand results take less than half of it."""
_CONTEXT = b"idempotency:answer:"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is remembered of a write: what was asked, as a hash, and the answer; status 0 while it is under way."""

    asked: str
    status: int = 0
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Place:
    """Where the answer to one key of one caller is remembered. Every call may raise RedisError and OSError.

    Whoever begins puts a mark of its own there, and only who finds that mark may put the answer in its place.
    """

    def __init__(self, redis: Redis, ring: KeyRing, caller: str, key: str, asked: str) -> None:
        self._redis = redis
        self._ring = ring
        # an answer is found for a day, whatever is rotated meanwhile
        named = hmac.digest(ring.naming, f"idempotency\n{caller}\n{key}".encode(), "sha256")
        self._owner = Id(named[:16])
        self._name = f"rb:once:{named.hex()}"
        self._mark = self._sealed(Answer(asked))
        self._swap = redis.register_script(resources.files("gateway").joinpath("once.lua").read_text("utf-8"))

    async def begin(self) -> Answer | None:
        """What stands there; None where nothing did, and the mark stands now."""
        while not await self._redis.set(self._name, self._mark, nx=True, ex=UNDER_WAY_S):
            stands = await self._redis.get(self._name)
            if stands is not None:  # else it ended between the two
                return self._opened(stands)
        return None

    async def go_on(self) -> None:
        """It is under way still."""
        await self._swap([self._name], [self._mark, self._mark, UNDER_WAY_S])

    async def end(self, answer: Answer | None) -> Answer | None:
        """Remember the answer; None: forget the write, so that it can be tried again."""
        sealed = "" if answer is None else self._sealed(answer)
        if len(sealed) > MOST_CHARACTERS:
            get_logger().warning("an answer is too large to be remembered", characters=len(sealed))
            sealed = ""
        await self._swap([self._name], [self._mark, sealed, KEPT_S])
        return answer

    def _sealed(self, answer: Answer) -> str:
        key = self._ring.new_data_key(self._owner)
        told = orjson.dumps([answer.asked, answer.status, answer.body.decode("latin-1"), answer.headers])
        sealed = seal(key.plain, zlib.compress(told, 1), _CONTEXT + self._owner)
        parts = (base64.b64encode(part).decode() for part in (key.wrapped, sealed))
        return " ".join((str(key.version), *parts))

    def _opened(self, text: str | bytes) -> Answer | None:
        """None where it does not open: its key was retired meanwhile."""
        version, *parts = (text.decode() if isinstance(text, bytes) else text).split(" ")
        wrapped, sealed = map(base64.b64decode, parts)
        try:
            key = self._ring.unwrap(wrapped, int(version), self._owner)
            told = zlib.decompress(open_sealed(key, sealed, _CONTEXT + self._owner))
        except (SealBroken, ConfigurationError) as exc:
            get_logger().warning("a remembered answer does not open", cause=type(exc).__name__)
            return None
        asked, status, body, headers = cast(tuple[str, int, str, list[list[str]]], orjson.loads(told))
        return Answer(asked, status, body.encode("latin-1"), tuple((name, value) for name, value in headers))
