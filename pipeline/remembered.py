"""What was made of contents that come again: the last so many, and no more."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """The `most` values that were asked for last. Contents are kept as digests of 128 bits: they take less room, and
    may be plaintext."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[bytes, T] = OrderedDict()

    @staticmethod
    def key(content: bytes) -> bytes:
        """What a content is known by."""
        return blake2b(content, digest_size=16).digest()

    def get(self, key: bytes) -> T | None:
        """The value of a content, or None where it is not known (any more)."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def add(self, key: bytes, value: T) -> None:
        """Remember a value, and forget the one that was not asked for the longest."""
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)
