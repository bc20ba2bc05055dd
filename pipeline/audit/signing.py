"""Signatures of the audit log, and the heads that are signed: Ed25519 (RFC 8032)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipeline.errors import BadInput

_HEAD = b"retail-brain audit head "
_HASH_BYTES = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Signer(Protocol):
    """Signs under a version of the key ring."""

    @property
    def version(self) -> int:
        """Whose private key it is."""

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""


PublicKeys = Mapping[int, bytes]
"""Ed25519 public keys, 32 bytes each, by version of the key ring."""


def signed_by(keys: PublicKeys, version: int, signature: bytes, data: bytes) -> bool:
    """Whether a signature is that of the version's key. False where there is no such key."""
    key = keys.get(version)
    if key is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Head:
    """The hash of an entry, and of all before it, signed. `signed_at` is in microseconds since 1970."""

    seq: int
    hash: bytes
    signed_at: int
    version: int
    signature: bytes

    @classmethod
    def made(cls, seq: int, hash_: bytes, now: datetime, signer: Signer) -> Head:
        """The head at an entry, signed now."""
        at = (now - _EPOCH) // _MICROSECOND
        return cls(seq, hash_, at, signer.version, signer.sign(_said(seq, hash_, at)))

    @classmethod
    def parse(cls, text: str) -> Head:
        """A head as `str` writes it. Raises BadInput."""
        try:
            seq, hash_, at, version, signature = text.strip().split(":")
            found = cls(int(seq), bytes.fromhex(hash_), int(at), int(version), decoded(signature))
        except (ValueError, TypeError) as exc:
            raise BadInput("head", "it is none; give a line that `retail-brain audit head` printed") from exc
        if str(found) != text.strip() or len(found.hash) != _HASH_BYTES:
            raise BadInput("head", "it is none; give a line that `retail-brain audit head` printed")
        return found

    def is_signed(self, keys: PublicKeys) -> bool:
        """Whether the key of its version signed it."""
        return signed_by(keys, self.version, self.signature, _said(self.seq, self.hash, self.signed_at))

    @property
    def at(self) -> datetime:
        """When it was signed."""
        return _EPOCH + self.signed_at * _MICROSECOND

    def __str__(self) -> str:
        """In one line, to be kept outside the database."""
        return f"{self.seq}:{self.hash.hex()}:{self.signed_at}:{self.version}:{encoded(self.signature)}"


def _said(seq: int, hash_: bytes, at: int) -> bytes:
    return _HEAD + f"{seq}:{hash_.hex()}:{at}".encode()


def must_be_signed(heads: Iterable[Head], keys: PublicKeys) -> None:
    """Raises BadInput where a head was not signed by one of the keys: it says nothing then."""
    for head in heads:
        if not head.is_signed(keys):
            raise BadInput("head", f"the one at {head.seq} is not signed by a key that is known here")


def encoded(data: bytes) -> str:
    """Bytes as text of a line: base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """The bytes that `encoded` wrote. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def key_text(version: int, key: bytes) -> str:
    """A public key in one line: `1:` and its bytes."""
    return f"{version}:{encoded(key)}"


def key_of(text: str) -> tuple[int, bytes]:
    """A version and its public key, as `key_text` writes it. Raises BadInput."""
    try:
        version, key = text.strip().split(":")
        found = int(version), decoded(key)
    except (ValueError, TypeError) as exc:
        raise BadInput("public key", "it is none; give a line that `retail-brain audit key` printed") from exc
    if len(found[1]) != 32 or key_text(*found) != text.strip():
        raise BadInput("public key", "it is none; give a line that `retail-brain audit key` printed")
    return found
