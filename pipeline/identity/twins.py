"""Whom of those who share an identifier each is compared with, where they are many.

A customer of a thousand records that share an e-mail address makes half a million pairs, which all say the same. Beyond
`all` holders of an identifier, those that are *twins* (they say the same of a person, and stand on the same sides of
the cannot-links) stand in a row by their ids, and each is compared with the `alike` next before and behind it; the
first of each row stands for it, and is compared with the `others` next firsts before and behind it.

So who belongs together hangs together, however few of them are left in one customer, and a record that comes changes
pairs of its neighbours only. Who meets whom is a function of the holders and the constraints. Ids are hashes: the order
of a row is a random one that everybody makes alike.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, repeat

from pipeline.identity.hashing import keyed_number
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, Trait

_SAID = (
    Trait.FIRST_NAME,
    Trait.MIDDLE_NAME,
    Trait.LAST_NAME,
    Trait.NAME_SUFFIX,
    Trait.ORGANISATION,
    Trait.DATE_OF_BIRTH,
    Trait.GENDER,
    Trait.NATIONAL_ID,
)
"""What two records may contradict each other in."""

Sides = frozenset[tuple[int, bool]]


@dataclass(frozen=True, slots=True)
class HoldersCompared:
    """How many holders of an identifier are `all` compared, and beyond that, how many neighbours of those `alike` and
    of `others` on either side."""

    all: int = 16
    alike: int = 3
    others: int = 20


def likeness(traits: Mapping[Trait, str]) -> str:
    """What these traits say of a person; "" where nothing."""
    return "\x1f".join([traits.get(trait, "") for trait in _SAID]).strip("\x1f")


def likeness_number(traits: Mapping[Trait, str], secret: bytes) -> int:
    """The same as a keyed number of 64 bits; 0 where they say nothing."""
    said = likeness(traits)
    return keyed_number(secret, "likeness", said) if said else 0


def sides(constraints: Iterable[Constraint]) -> dict[Id, Sides]:
    """On which sides of which cannot-links records stand; those on none are missing."""
    found: defaultdict[Id, set[tuple[int, bool]]] = defaultdict(set)
    parting = {c for c in constraints if c.kind is ConstraintKind.CANNOT_LINK}
    for n, c in enumerate(sorted(parting, key=lambda c: (sorted(c.left), sorted(c.right)))):
        for record, side in (*zip(c.left, repeat(False)), *zip(c.right, repeat(True))):
            found[record].add((n, side))
    return {r: frozenset(s) for r, s in found.items()}


class Circle:
    """Those who share an identifier. `speaks`: who shares it meets by it or not at all, since it is not worn."""

    def __init__(self, alike: Mapping[Id, Hashable], compared: HoldersCompared, speaks: bool) -> None:
        """`alike` are the holders, those with equal values being twins."""
        self.speaks = speaks
        self._alike = alike
        self._compared = compared
        rows: defaultdict[Hashable, list[Id]] = defaultdict(list)
        self._is_whole = len(alike) <= compared.all
        for record in sorted(alike):
            rows[None if self._is_whole else alike[record]].append(record)
        self._rows: Mapping[Hashable, Sequence[Id]] = rows
        self._firsts = sorted(row[0] for row in rows.values())

    def __contains__(self, record: Id) -> bool:
        return record in self._alike

    def others(self, record: Id) -> list[Id]:
        """Whom a holder is compared with."""
        if self._is_whole:
            return [r for r in self._alike if r != record]
        row = self._rows[self._alike[record]]
        found = _around(row, record, self._compared.alike)
        if row[0] == record:
            found += _around(self._firsts, record, self._compared.others)
        return found

    def meets(self, one: Id, other: Id) -> bool:
        """Whether two holders are compared."""
        return other in self.others(one)

    def pairs(self) -> Iterator[tuple[Id, Id]]:
        """All who are compared, the lower id first."""
        if self._is_whole:
            yield from combinations(self._rows.get(None, ()), 2)
            return
        for row in self._rows.values():
            yield from _near(row, self._compared.alike)
        yield from _near(self._firsts, self._compared.others)


def _around(row: Sequence[Id], record: Id, most: int) -> list[Id]:
    at = bisect_left(row, record)
    return [*row[max(0, at - most) : at], *row[at + 1 : at + 1 + most]]


def _near(row: Sequence[Id], most: int) -> Iterator[tuple[Id, Id]]:
    for step in range(1, min(most, len(row) - 1) + 1):
        yield from zip(row, row[step:], strict=False)
