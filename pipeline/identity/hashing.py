"""Keyed hashes: the only form in which a value is ever indexed. HMAC-SHA256 (RFC 2104), domains kept apart by 0x1f."""

from __future__ import annotations

from hmac import digest
from uuid import UUID

from pipeline.identity.model import Identifier

_SEPARATOR = "\x1f"


def value_hash(secret: bytes, identifier: Identifier) -> bytes:
    """The 32-byte value hash of a canonical identifier."""
    return digest(secret, f"{identifier.type.value}{_SEPARATOR}{identifier.value}".encode(), "sha256")


def signature(secret: bytes, serialized: bytes) -> bytes:
    """The 32-byte signature of a serialized canonical record."""
    return digest(secret, serialized, "sha256")


def record_id(signature: bytes) -> UUID:
    """The identity record's id: the first 16 bytes of its signature."""
    return UUID(bytes=signature[:16])


def keyed_number(secret: bytes, domain: str, text: str) -> int:
    """A keyed hash truncated to a signed 64-bit number, for indexes where a collision costs one comparison."""
    keyed = digest(secret, f"{domain}{_SEPARATOR}{text}".encode(), "sha256")
    return int.from_bytes(keyed[:8], "big", signed=True)
