"""What the attributes of two sides could become, and the sides as they would be then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.identity.compare import compare, side
from pipeline.identity.explain.content import ATTRIBUTES, PURCHASES, Part, part_of, with_part
from pipeline.identity.explain.explanation import Becomes, Change, Direction
from pipeline.identity.explain.judging import stands_between
from pipeline.identity.explain.weighing import Configuration, Records
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Constraint,
    ConstraintKind,
    Identifier,
    IdentifierType,
    IdentityRecord,
    Trait,
)

_UNHEARD = ("zzyzx", "quoqou")
_TOWARDS = {
    Direction.TOGETHER: frozenset((Becomes.ABSENT, Becomes.SAME, Becomes.UNSHARED)),
    Direction.APART: frozenset((Becomes.ABSENT, Becomes.DIFFERENT)),
}


class Sides(NamedTuple):
    """Two sides and the constraints that stand."""

    left: Records
    right: Records
    constraints: Sequence[Constraint]


class Option(NamedTuple):
    """A change, and what the sides say of the attribute after it; None leaves a side as it is."""

    change: Change
    left: Part | None = None
    right: Part | None = None


def options(sides: Sides, by: Configuration) -> Iterator[Option]:
    """Every attribute that a side has: absent (on the right), the same on both sides, different from one another."""
    for attribute in ATTRIBUTES:
        mine, other = _held(sides.left, attribute), _held(sides.right, attribute)
        if mine and other:
            yield Option(Change(attribute, Becomes.ABSENT), right=Part())
        if _is_shared(sides.left, attribute) and _is_shared(sides.right, attribute):
            yield Option(Change(attribute, Becomes.UNSHARED))
        if mine or other:
            same = Change(attribute, Becomes.SAME)
            yield Option(same, right=mine) if mine else Option(same, left=other)
        if held := mine or other:
            offers = _made_up(attribute, held)
            made = [_different(attribute, part, on_right=mine is not None) for part in offers]
            yield from sorted(made, key=lambda o: _agreement(sides, o, by))[:1]
    left, right = (frozenset(r.record_id for r in records) for records in sides[:2])
    for kind in ConstraintKind:
        if any(c.kind is kind and stands_between(c, left, right) for c in sides.constraints):
            yield Option(Change(kind.value, Becomes.LIFTED))


def leads(change: Change, direction: Direction) -> bool:
    """Whether a change is tried in a direction: towards one customer attributes become absent, the same or no longer
    shared, towards two absent or different."""
    if change.becomes is Becomes.LIFTED:
        return (change.attribute == ConstraintKind.MUST_LINK) is (direction is Direction.APART)
    return change.becomes in _TOWARDS[direction]


def applied(sides: Sides, chosen: Sequence[Option]) -> Sides:
    """The sides after all the changes."""
    left, right, constraints = sides
    for change, mine, other in chosen:
        if change.becomes is Becomes.LIFTED:
            constraints = [c for c in constraints if c.kind.value != change.attribute]
            continue
        if change.becomes is Becomes.UNSHARED:
            left, right = ([_unshared(r, change.attribute) for r in records] for records in (left, right))
            continue
        left = left if mine is None else [with_part(r, change.attribute, mine) for r in left]
        right = right if other is None else [with_part(r, change.attribute, other) for r in right]
    return Sides(left, right, constraints)


def _is_shared(records: Records, attribute: str) -> bool:
    return any(part_of(r, attribute).shared for r in records)


def _unshared(record: IdentityRecord, attribute: str) -> IdentityRecord:
    return with_part(record, attribute, part_of(record, attribute)._replace(shared=()))


def _held(records: Records, attribute: str) -> Part | None:
    """What stands for a side: the part of its first record that says anything of the attribute."""
    parts = (part_of(r, attribute) for r in sorted(records, key=_record_id))
    return next((p for p in parts if p != Part()), None)


def _record_id(record: IdentityRecord) -> Id:
    return record.record_id


def _different(attribute: str, part: Part, *, on_right: bool) -> Option:
    change = Change(attribute, Becomes.DIFFERENT)
    return Option(change, right=part) if on_right else Option(change, left=part)


def _agreement(sides: Sides, option: Option, by: Configuration) -> float:
    left, right, _ = applied(sides, [option])
    return compare(side(left), side(right), by.model, by.policy).weight


def _made_up(attribute: str, held: Part) -> Sequence[Part]:
    """Values that hardly anybody has, to be different from what is held; the least alike of them is taken."""
    if attribute == PURCHASES:
        return ()
    if held.identifiers:
        kind = held.identifiers[0].type
        return [Part(identifiers=(Identifier(kind, value),)) for value in _MADE_UP_IDS.get(kind, _UNHEARD)]
    trait, value = held.traits[0]
    if trait is Trait.NATIONAL_ID:  # of the same kind, else it would not be compared
        return [Part(traits=((trait, f"{value.partition(':')[0]}:{word}"),)) for word in _UNHEARD]
    if attribute == "address":
        return [Part(traits=((Trait.STREET, w), (Trait.CITY, w), (Trait.POSTCODE, w))) for w in _UNHEARD]
    return [Part(traits=((trait, word),)) for word in _MADE_UP.get(trait, _UNHEARD)]


_MADE_UP_IDS: Mapping[IdentifierType, Sequence[str]] = {
    IdentifierType.EMAIL: ("zzyzx@zzyzx.example", "quoqou@quoqou.example"),
    IdentifierType.PHONE: ("+12025550143", "+819012345678"),
    IdentifierType.WHATSAPP: ("+12025550143", "+819012345678"),
}
_MADE_UP: Mapping[Trait, Sequence[str]] = {
    Trait.DATE_OF_BIRTH: ("1911-11-30", "1948-07-14", "2012-02-25"),
    Trait.GENDER: ("f", "m"),
    Trait.NAME_SUFFIX: ("jr", "sr"),
}
