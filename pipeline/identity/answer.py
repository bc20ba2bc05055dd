"""What a steward's answer to a review means: the constraints it puts, and the outcome it must have.

A review, of either kind, asks one thing of disjoint sets of records, its sides: are they one customer? The sides of a
merge in doubt are the records of its two profiles, those of a proposed split the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind

RecordSet = frozenset[Id]


def constraints(sides: Sequence[RecordSet], are_one: bool) -> tuple[Constraint, ...]:
    """One must-link over all sides, or cannot-links between any two of them.

    Of n sides ceil(log2 n) cannot-links are enough, where each pair would take n (n - 1) / 2: two numbers differ in a
    binary digit, so one cannot-link a digit, between the sides that have it and those that have not, parts every pair.
    """
    if are_one:
        return (Constraint(ConstraintKind.MUST_LINK, sides[0], _union(sides[1:])),)
    numbered = list(enumerate(sides))
    return tuple(
        Constraint(
            ConstraintKind.CANNOT_LINK,
            _union(side for n, side in numbered if not n >> digit & 1),
            _union(side for n, side in numbered if n >> digit & 1),
        )
        for digit in range((len(sides) - 1).bit_length())
    )


def _union(sides: Iterable[RecordSet]) -> RecordSet:
    return RecordSet().union(*sides)


def came_true(sides: Sequence[RecordSet], are_one: bool, home: Mapping[Id, Id]) -> bool:
    """Whether the records stand as answered: all in one profile, or each side whole in a profile of its own.

    Records that `home` does not know (their person was forgotten) stand nowhere.
    """
    homes = [{home[r] for r in side if r in home} for side in sides]
    known = [profiles for profiles in homes if profiles]
    together = set().union(*known)
    return len(together) <= 1 if are_one else len(together) == len(known) == sum(map(len, known))


def is_forbidden(sides: Sequence[RecordSet], standing: Iterable[Constraint]) -> bool:
    """Whether a cannot-link already parts two of the sides; it outweighs a must-link."""
    for c in standing:
        if c.kind is ConstraintKind.CANNOT_LINK:
            left, right = ({n for n, s in enumerate(sides) if s & named} for named in (c.left, c.right))
            if left and right and len(left | right) > 1:
                return True
    return False


def asks_the_same(shown: Sequence[RecordSet], parts: Sequence[RecordSet]) -> bool:
    """Whether a proposal of `parts` is the one shown, but for records that have come since."""
    known = _union(shown)
    return {frozenset(part & known) for part in parts} - {RecordSet()} == set(shown)
