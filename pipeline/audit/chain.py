"""The chain: each entry's hash is made of the hash before it, and the last one of those chained together is signed.

    hash = SHA-256(previous || canonical entry)        previous: 32 bytes; before the first entry, zeros
    head = Ed25519("retail-brain audit head " || "SEQ:HASH:MICROSECONDS")         FIPS 180-4, RFC 8032

An entry is canonical as RFC 8785 writes JSON, which the entries' values keep to: they hold no fractions. So whoever has
the entries and a public key can check all of it, and nobody without the private key can make another chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from pipeline.audit.signing import Head

HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)
"""What stands before the first entry."""

Document = Mapping[str, object]
"""An entry as JSON has it: ids and times as text."""


def canonical(document: Document) -> bytes:
    """The bytes of an entry that are hashed. Raises TypeError where it holds what JSON does not."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def link_hash(previous: bytes, entry: bytes) -> bytes:
    """The hash of an entry, by its canonical bytes, behind the one that stands before it."""
    return hashlib.sha256(previous + entry).digest()


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain. `entry` is None where it is not there any more, or cannot be read; `fault` says what keeps
    all of it from being read."""

    seq: int
    entry_id: int
    previous: bytes
    hash: bytes
    entry: Document | None
    head: Head | None = None
    fault: str | None = None

    def holds(self) -> bool:
        """Whether the hash is that of this entry behind `previous`."""
        return self.entry is not None and link_hash(self.previous, canonical(self.entry)) == self.hash
