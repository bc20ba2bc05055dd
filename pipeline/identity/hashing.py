"""Keyed hashes: the only form in which a value is ever indexed. HMAC-SHA256 (RFC 2104), domains kept apart by 0x1f."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from struct import Struct

from pipeline.identity.ids import Id
from pipeline.identity.model import Identifier, IdentifierType

_SEPARATOR = "\x1f"
_BLOCK = 64
_number = Struct(">q24x").unpack
_PREFIXES = {kind: f"{kind.value}{_SEPARATOR}" for kind in IdentifierType}


@lru_cache(maxsize=16)
def _pads(secret: bytes) -> tuple[bytes, bytes]:
    """HMAC's inner and outer pad.

    Hashing one with each message takes less time than copying a hash that has taken it in: a copy in OpenSSL costs more
    than a block.
    """
    key = (sha256(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
    return bytes(b ^ 0x36 for b in key), bytes(b ^ 0x5C for b in key)


def _digest(secret: bytes, message: bytes) -> bytes:
    inner, outer = _pads(secret)
    return sha256(outer + sha256(inner + message).digest()).digest()


def value_hash(secret: bytes, identifier: Identifier) -> bytes:
    """The 32-byte value hash of a canonical identifier."""
    return _digest(secret, f"{_PREFIXES[identifier.type]}{identifier.value}".encode())


def signature(secret: bytes, serialized: bytes) -> bytes:
    """The 32-byte signature of a serialized canonical record."""
    return _digest(secret, serialized)


def record_id(signature: bytes) -> Id:
    """The identity record's id: the first 16 bytes of its signature."""
    return Id(signature[:16])


def keyed_number(secret: bytes, domain: str, text: str) -> int:
    """A keyed hash truncated to a signed 64-bit number, for indexes where a collision costs one comparison."""
    return keyed_numbers(secret, ((domain, text),))[0]


def keyed_numbers(secret: bytes, texts: Iterable[tuple[str, str]]) -> list[int]:
    """The keyed number of each (domain, text), in their order."""
    inner, outer = _pads(secret)
    # `_digest` written out: a record has a dozen and a half of them
    return [
        _number(sha256(outer + sha256(inner + f"{domain}{_SEPARATOR}{text}".encode()).digest()).digest())[0]
        for domain, text in texts
    ]
