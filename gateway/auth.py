"""API keys: who calls. Keys are compared as hashes, in constant time.

A key of the form that those of the database have is looked up by the id in it; any other is compared with every key of
`RB_API_KEYS`, whichever fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Protocol

from gateway.rights import Caller
from pipeline.api_keys.configured import ConfiguredKey
from pipeline.api_keys.secret import hash_of, id_in
from pipeline.api_keys.stored import StoredKey


class Keys(Protocol):
    """Tells callers by their keys."""

    async def caller(self, authorization: bytes | None) -> Caller | None:
        """The caller of an `Authorization` header, the key itself or `Bearer <key>`; None where it holds no known key.

        Raises RetryLater where it cannot be told now.
        """


Fits = Callable[[StoredKey], bool]


class FindKey(Protocol):
    """Keys of the database by their ids."""

    async def find(self, key_id: str, fits: Fits) -> StoredKey | None:
        """The key of that id if it fits. Raises StoreUnavailable where that cannot be told."""


class ApiKeys:
    """Keys of the environment and of the database. `used` is told the id of each key of the database that opens."""

    def __init__(
        self,
        configured: Sequence[ConfiguredKey],
        stored: FindKey,
        used: Callable[[str], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._configured = [(hash_of(one.key.encode()), _configured_caller(one)) for one in configured]
        self._stored = stored
        self._used = used
        self._clock = clock

    async def caller(self, authorization: bytes | None) -> Caller | None:
        """As Keys says."""
        key = _key(authorization)
        if not key:
            return None
        key_id = id_in(key)
        return self._of_environment(key) if key_id is None else await self._of_database(key, key_id)

    def _of_environment(self, key: bytes) -> Caller | None:
        given, found = hash_of(key), None
        for expected, caller in self._configured:
            if compare_digest(given, expected):
                found = caller
        return found

    async def _of_database(self, key: bytes, key_id: str) -> Caller | None:
        given, now = hash_of(key), self._clock()
        stored = await self._stored.find(key_id, lambda kept: opens(kept, given, now))
        if stored is None:
            return None
        self._used(key_id)
        return Caller(stored.key_id, stored.name, stored.scopes, stored.per_minute)


def opens(stored: StoredKey, given: bytes, now: datetime) -> bool:
    """Whether a key of this hash opens now: it is the secret, or the one before the rotation in its grace."""
    former = stored.former_hash or stored.secret_hash
    current, before = compare_digest(given, stored.secret_hash), compare_digest(given, former)
    in_grace = stored.former_until is not None and now < stored.former_until
    in_time = stored.expires_at is None or now < stored.expires_at
    return (current or (before and in_grace)) and in_time


def _key(authorization: bytes | None) -> bytes:
    if not authorization:
        return b""
    scheme, _, rest = authorization.partition(b" ")
    return rest.strip() if scheme.lower() == b"bearer" else authorization.strip()


def _configured_caller(one: ConfiguredKey) -> Caller:
    name = hash_of(one.key.encode()).hex()[:16]
    return Caller(name, f"api-key:{name}", one.scopes)
