"""API keys: who calls. Keys are compared as hashes, all of them, in constant time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from hmac import compare_digest

from gateway.rights import Caller
from pipeline.api_keys.scope import EVERYTHING
from pipeline.errors import ConfigurationError


class ApiKeys:
    """The keys that open the gateway."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ConfigurationError("the gateway needs at least one API key: set RB_API_KEYS")
        self._hashes = tuple(hashlib.sha256(key.encode()).digest() for key in keys)

    def caller(self, authorization: bytes | None) -> Caller | None:
        """The caller, named by the key's hash, or None where the header holds no known key.

        The header is the key itself or `Bearer <key>`.
        """
        if not authorization:
            return None
        scheme, _, rest = authorization.partition(b" ")
        key = rest.strip() if scheme.lower() == b"bearer" else authorization.strip()
        given = hashlib.sha256(key).digest()
        known = False
        for expected in self._hashes:
            known |= compare_digest(given, expected)
        if not known:
            return None
        name = given.hex()[:16]
        return Caller(name, f"api-key:{name}", EVERYTHING)
