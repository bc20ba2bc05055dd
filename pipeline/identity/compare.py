"""The evidence between two customers: one function, whether a side is one record or a cluster of them.

Where a side holds several values, identifiers and addresses count by their best pair (people have several phones);
names, dates of birth and gender halfway between the best pair and the mean over all pairs of distinct values: a person
has one of each, so values that differ count against, however a chain A~B~C came about; yet one misspelling more
does not outweigh a value that both sides hold. A missing value is neutral.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pipeline.codes import ReasonCode
from pipeline.identity import person, similarity
from pipeline.identity.model import Comparison, IdentifierType, LevelWeight
from pipeline.identity.policy import Policy
from pipeline.identity.score import Level, Model, against_both, confidence
from pipeline.identity.side import MAX_VALUES, Side, join, side

__all__ = ["Side", "compare", "join", "side"]

_Value = TypeVar("_Value")
_WORTH_SAYING = 0.005  # bits
_OTHER_TYPES = tuple(
    t
    for t in IdentifierType
    if t not in (IdentifierType.EMAIL, IdentifierType.PHONE, IdentifierType.WHATSAPP)
)


def compare(a: Side, b: Side, model: Model, policy: Policy) -> Comparison:
    """The evidence for and against `a` and `b` being one person; symmetric, the same to the last bit each time."""
    names = _names(a, b, model)
    born = _typical(a.births, b.births, lambda x, y: similarity.births(x, y, model))
    place = _best(a.places, b.places, lambda x, y: similarity.places(x, y, model))
    rest = (born, place, *_rest(a, b, model))
    found = (*names, *(level for level in rest if level is not None), *_identifiers(a, b, model, policy))
    strangers, household = model.prior, model.household_prior
    for level in found:
        strangers += level.weight
        household += level.household
    weight = against_both(strangers, household)
    levels = [LevelWeight(level.attribute, level.level, level.weight) for level in found]
    if weight - strangers < -_WORTH_SAYING:
        levels.append(LevelWeight("household", "possible", weight - strangers))
    return Comparison(weight, confidence(weight), tuple(levels), _veto(a, b, names, born, policy))


def _veto(a: Side, b: Side, names: Sequence[Level], born: Level | None, policy: Policy) -> ReasonCode | None:
    for kind, x in a.identifiers.items():
        y = b.identifiers.get(kind)
        if y is not None and policy.identifiers[kind].exclusive and x.isdisjoint(y):
            return ReasonCode.VETO_EXCLUSIVE_IDENTIFIER
    if born is not None and born.level in ("different", "age_gap"):
        for level in names:
            if level.attribute == "given_name" and level.level == "different":
                return ReasonCode.VETO_CONTRADICTING_PERSON
    return None


def _best(
    a: Sequence[_Value], b: Sequence[_Value], level: Callable[[_Value, _Value], Level | None]
) -> Level | None:
    """The weightiest level over all pairs of values; of equal ones the same whichever side comes first."""
    best: Level | None = None
    for x in a[:MAX_VALUES]:
        for y in b[:MAX_VALUES]:
            found = level(x, y)
            if found is not None and (best is None or _rank(found) > _rank(best)):
                best = found
    return best


def _rank(level: Level) -> tuple[float, float, str]:
    return level.weight, level.household, level.level


def _typical(
    a: Sequence[_Value], b: Sequence[_Value], level: Callable[[_Value, _Value], Level | None]
) -> Level | None:
    """Halfway between the best and the mean weight over all pairs of values, named by the best pair's level."""
    if len(a) == 1 and len(b) == 1:
        return level(a[0], b[0])
    return _typical_of([f for x in a[:MAX_VALUES] for y in b[:MAX_VALUES] if (f := level(x, y)) is not None])


def _typical_of(found: Sequence[Level]) -> Level | None:
    if not found:
        return None
    best = max(found, key=_rank)
    # sorted: the sums are the same whichever side comes first
    weight, household = sum(sorted(f.weight for f in found)), sum(sorted(f.household for f in found))
    count = len(found)
    return Level(
        best.attribute,
        best.level,
        (best.weight + weight / count) / 2,
        (best.household + household / count) / 2,
    )


def _names(a: Side, b: Side, model: Model) -> tuple[Level, ...]:
    """Levels of the name's parts. Together they never count for more than `limits.names`: a name alone names nobody."""
    if not a.names or not b.names:
        return ()
    given, family, middle, suffix = _parts(a, b, model)
    parts = [p for p in (given, family, middle) if p is not None]
    total = sum(p.weight for p in parts)
    if total > model.limits["names"]:
        factor = model.limits["names"] / total
        parts = [Level(p.attribute, p.level, p.weight * factor, p.household) for p in parts]
    return tuple(parts) if suffix is None else (*parts, suffix)


def _parts(a: Side, b: Side, model: Model) -> tuple[Level | None, ...]:
    """Given name, surname, middle name and suffix, each over all pairs of names."""
    if len(a.names) == 1 and len(b.names) == 1:
        only = person.names(a.names[0], b.names[0], model)
        return only.given, only.family, only.middle, only.suffix
    found = [person.names(x, y, model) for x in a.names[:MAX_VALUES] for y in b.names[:MAX_VALUES]]
    parts = (
        [f.given for f in found],
        [f.family for f in found],
        [f.middle for f in found],
        [f.suffix for f in found],
    )
    return tuple(_typical_of([level for level in levels if level is not None]) for levels in parts)


def _rest(a: Side, b: Side, model: Model) -> tuple[Level | None, ...]:
    gender = (
        _typical(a.genders, b.genders, lambda x, y: model.level("gender", "exact" if x == y else "different"))
        if a.genders and b.genders
        else None
    )
    ids = (
        similarity.national_ids(a.national_ids, b.national_ids, model)
        if a.national_ids and b.national_ids
        else None
    )
    employer = (
        _best(a.employers, b.employers, lambda x, y: similarity.employers(x, y, model))
        if a.employers and b.employers
        else None
    )
    shared = min(3, len(a.products & b.products)) if a.products and b.products else 0
    purchases = model.level("purchases", str(shared)) if shared else None
    return gender, ids, employer, purchases


def _identifiers(a: Side, b: Side, model: Model, policy: Policy) -> tuple[Level, ...]:
    """One level a type both sides hold. The weightiest agreement counts in full, each further one by `limits.repeat`:

    somebody who shares a phone is likely to share the device as well, so they are no independent witnesses.
    """
    if not a.identifiers or not b.identifiers:
        return ()
    found = [
        level for level in (_emails(a, b, model, policy), _lines(a, b, model, policy)) if level is not None
    ]
    for kind in _OTHER_TYPES:
        x, y = a.identifiers.get(kind), b.identifiers.get(kind)
        if x and y:
            level = model.level(kind.value, "different" if x.isdisjoint(y) else "exact")
            found.append(_trusted(level, kind, policy))
    if len(found) < 2:
        return tuple(found)
    found.sort(key=lambda f: (-f.weight, f.attribute))
    repeat = model.limits["repeat"]
    return tuple(_repeated(f, repeat) if n and f.weight > 0 else f for n, f in enumerate(found))


def _repeated(level: Level, share: float) -> Level:
    return Level(level.attribute, level.level, level.weight * share, level.household * share)


def _trusted(level: Level, kind: IdentifierType, policy: Policy) -> Level:
    share = policy.identifiers[kind].weight
    return level if share == 1.0 else _repeated(level, share)


def _emails(a: Side, b: Side, model: Model, policy: Policy) -> Level | None:
    x, y = a.identifiers.get(IdentifierType.EMAIL), b.identifiers.get(IdentifierType.EMAIL)
    if not x or not y:
        return None
    best = _best(sorted(x), sorted(y), lambda p, q: similarity.emails(p, q, model, policy.role_mailboxes))
    return None if best is None else _trusted(best, IdentifierType.EMAIL, policy)


def _lines(a: Side, b: Side, model: Model, policy: Policy) -> Level | None:
    """Phones and WhatsApp accounts are lines alike."""
    x = a.lines
    y = b.lines
    if not x or not y:
        return None
    best = _best(sorted(x), sorted(y), lambda p, q: similarity.lines(p, q, model))
    return None if best is None else _trusted(best, IdentifierType.PHONE, policy)
