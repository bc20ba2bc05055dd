"""Who holds a match key, packed: a record shares its keys with hundreds, and few of them are looked at one by one.

A holder is 24 bytes: the record's id, the kinds of all its keys as a bit set (pipeline/identity/candidates.py), and
whom it names as a tag (pipeline/identity/sharing.py), the latter two big-endian 32-bit integers.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from pipeline.identity.ids import Id

_ROW = Struct(">16sii")
HOLDER_BYTES = _ROW.size


class Holder(NamedTuple):
    """A record that holds a key."""

    record: Id
    kinds: int
    person: int


def pack(holder: Holder) -> bytes:
    """Its 24 bytes."""
    return _ROW.pack(*holder)


def unpack(packed: bytes) -> tuple[Holder, ...]:
    """The holders of a whole number of rows, in their order."""
    return tuple([Holder(Id(record), kinds, person) for record, kinds, person in _ROW.iter_unpack(packed)])
