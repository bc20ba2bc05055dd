"""Who holds a match key, packed: a record shares its keys with hundreds, and few of them are looked at one by one.

A holder is 32 bytes: the record's id, the kinds of all its keys as a bit set (pipeline/identity/candidates.py), whom
it names as a tag (pipeline/identity/sharing.py), and what it says of a person as a number (pipeline/identity/twins.py),
big-endian integers of 32, 32 and 64 bits.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from pipeline.identity.ids import Id

_ROW = Struct(">16siiq")
HOLDER_BYTES = _ROW.size


class Holder(NamedTuple):
    """A record that holds a key."""

    record: Id
    kinds: int
    person: int
    likeness: int


def pack(holder: Holder) -> bytes:
    """Its 32 bytes."""
    return _ROW.pack(*holder)


def unpack(packed: bytes) -> tuple[Holder, ...]:
    """The holders of a whole number of rows, in their order."""
    return tuple([Holder(Id(record), *rest) for record, *rest in _ROW.iter_unpack(packed)])
