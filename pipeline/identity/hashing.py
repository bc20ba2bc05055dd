"""Keyed hashes: the only form in which a value is ever indexed. HMAC-SHA256 (RFC 2104), domains kept apart by 0x1f."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING
from uuid import UUID

from pipeline.identity.model import Identifier, IdentifierType

if TYPE_CHECKING:
    from _hashlib import HASH

_SEPARATOR = "\x1f"
_BLOCK = 64
_number = Struct(">q24x").unpack
_PREFIXES = {kind: f"{kind.value}{_SEPARATOR}" for kind in IdentifierType}


@lru_cache(maxsize=16)
def _begun(secret: bytes) -> tuple[HASH, HASH]:
    """HMAC's inner and outer hash with the key taken in, which is half of the work and the same for every message."""
    key = (sha256(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
    return sha256(bytes(b ^ 0x36 for b in key)), sha256(bytes(b ^ 0x5C for b in key))


def _digest(secret: bytes, message: bytes) -> bytes:
    inner, outer = _begun(secret)
    inner, outer = inner.copy(), outer.copy()
    inner.update(message)
    outer.update(inner.digest())
    return outer.digest()


def value_hash(secret: bytes, identifier: Identifier) -> bytes:
    """The 32-byte value hash of a canonical identifier."""
    return _digest(secret, f"{_PREFIXES[identifier.type]}{identifier.value}".encode())


def signature(secret: bytes, serialized: bytes) -> bytes:
    """The 32-byte signature of a serialized canonical record."""
    return _digest(secret, serialized)


def record_id(signature: bytes) -> UUID:
    """The identity record's id: the first 16 bytes of its signature."""
    return UUID(bytes=signature[:16])


def keyed_number(secret: bytes, domain: str, text: str) -> int:
    """A keyed hash truncated to a signed 64-bit number, for indexes where a collision costs one comparison."""
    return keyed_numbers(secret, ((domain, text),))[0]


def keyed_numbers(secret: bytes, texts: Iterable[tuple[str, str]]) -> list[int]:
    """The keyed number of each (domain, text), in their order."""
    begun_inner, begun_outer = _begun(secret)
    numbers = []
    for domain, text in texts:
        # `_digest` written out: a record has a dozen and a half of them
        inner, outer = begun_inner.copy(), begun_outer.copy()
        inner.update(f"{domain}{_SEPARATOR}{text}".encode())
        outer.update(inner.digest())
        numbers.append(_number(outer.digest())[0])
    return numbers
