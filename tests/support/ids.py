"""Ids that tests call by a number."""

from __future__ import annotations

from pipeline.identity.ids import Id


def numbered(number: int) -> Id:
    """The same id for the same number; they sort as their numbers do."""
    return Id(number.to_bytes(16))


def number_of(record: Id) -> int:
    """The number an id was made of."""
    return int.from_bytes(record)
