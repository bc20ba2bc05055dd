"""The evidence between two customers: one function, whether a side is one record or a cluster of them.

Where a side holds several values, identifiers and addresses count by their best pair (people have several phones);
names, dates of birth and gender halfway between the best pair and the mean over all pairs of distinct values: a person
has one of each, so values that differ count against, however a chain A~B~C came about; yet one misspelling more
does not outweigh a value that both sides hold. A missing value is neutral.

Nearly all sides hold one value of each: that case goes straight to the measure, without a list or a closure on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TypeVar

from pipeline.codes import ReasonCode
from pipeline.identity import person, similarity
from pipeline.identity.model import Comparison, Identifier, IdentifierType, LevelWeight
from pipeline.identity.policy import Policy
from pipeline.identity.score import Level, Model, against_both, confidence
from pipeline.identity.side import MAX_VALUES, Side, join, side

__all__ = ["Side", "compare", "join", "side"]

_Value = TypeVar("_Value")
_WORTH_SAYING = 0.005  # bits
_EMAIL, _PHONE = IdentifierType.EMAIL, IdentifierType.PHONE
_TYPE_NAMES = {kind: kind.value for kind in IdentifierType}


def compare(a: Side, b: Side, model: Model, policy: Policy, floor: float = -inf) -> Comparison:
    """The evidence for and against `a` and `b` being one person; symmetric, the same to the last bit each time.

    Of a pair whose weight is below `floor` only weight and confidence are told: no levels and no veto.
    """
    found = _levels(a, b, model, policy)
    strangers, household = model.prior, model.household_prior
    for _, _, weight, in_household in found:
        strangers += weight
        household += in_household
    weight = against_both(strangers, household)
    if weight < floor:
        return Comparison(weight, confidence(weight), ())
    levels = [LevelWeight(attribute, level, bits) for attribute, level, bits, _ in found]
    if weight - strangers < -_WORTH_SAYING:
        levels.append(LevelWeight("household", "possible", weight - strangers))
    return Comparison(weight, confidence(weight), tuple(levels), _veto(a, b, found, policy))


def _levels(a: Side, b: Side, model: Model, policy: Policy) -> list[Level]:
    """The level of each attribute that both sides hold, in the order in which their weights are added up."""
    found = _names(a.names, b.names, model) if a.names and b.names else []
    if a.births and b.births:
        found.append(_typical(a.births, b.births, similarity.births, model))
    if a.places and b.places:
        _add(found, _best(a.places, b.places, similarity.places, model))
    if a.genders and b.genders:
        found.append(_typical(a.genders, b.genders, similarity.genders, model))
    if a.national_ids and b.national_ids:
        _add(found, similarity.national_ids(a.national_ids, b.national_ids, model))
    if a.employers and b.employers:
        _add(found, _best(a.employers, b.employers, similarity.employers, model))
    if a.products and b.products and (shared := len(a.products & b.products)):
        found.append(model.level("purchases", str(min(3, shared))))
    if a.identifiers and b.identifiers:
        found += _identifiers(a, b, model, policy)
    return found


def _add(found: list[Level], level: Level | None) -> None:
    if level is not None:
        found.append(level)


def _veto(a: Side, b: Side, found: Sequence[Level], policy: Policy) -> ReasonCode | None:
    for kind, x in a.identifiers.items():
        y = b.identifiers.get(kind)
        if y is not None and policy.identifiers[kind].exclusive and x.isdisjoint(y):
            return ReasonCode.VETO_EXCLUSIVE_IDENTIFIER
    reached = {attribute: level for attribute, level, _, _ in found}
    if reached.get("given_name") == "different" and reached.get("date_of_birth") in ("different", "age_gap"):
        return ReasonCode.VETO_CONTRADICTING_PERSON
    return None


def _best(
    a: Sequence[_Value],
    b: Sequence[_Value],
    level: Callable[[_Value, _Value, Model], Level | None],
    model: Model,
) -> Level | None:
    """The weightiest level over all pairs of values; of equal ones the same whichever side comes first."""
    if len(a) == 1 and len(b) == 1:
        return level(a[0], b[0], model)
    return _best_of([level(x, y, model) for x in a[:MAX_VALUES] for y in b[:MAX_VALUES]])


def _best_of(found: Sequence[Level | None]) -> Level | None:
    return max((level for level in found if level is not None), key=_rank, default=None)


def _rank(level: Level) -> tuple[float, float, str]:
    return level.weight, level.household, level.level


def _typical(
    a: Sequence[_Value], b: Sequence[_Value], level: Callable[[_Value, _Value, Model], Level], model: Model
) -> Level:
    """Halfway between the best and the mean weight over all pairs of values, named by the best pair's level."""
    if len(a) == 1 and len(b) == 1:
        return level(a[0], b[0], model)
    return _typical_of([level(x, y, model) for x in a[:MAX_VALUES] for y in b[:MAX_VALUES]])


def _typical_of(found: Sequence[Level]) -> Level:
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


def _names(a: Sequence[person.PersonName], b: Sequence[person.PersonName], model: Model) -> list[Level]:
    """Levels of the name's parts. Together they never count for more than `limits.names`: a name alone names nobody."""
    given, family, middle, suffix = (
        person.names(a[0], b[0], model) if len(a) == 1 and len(b) == 1 else _name_parts(a, b, model)
    )
    parts = [p for p in (given, family, middle) if p is not None]
    total = 0.0
    for part in parts:
        total += part.weight
    most = model.limits["names"]
    if total > most:
        factor = most / total
        parts = [Level(p.attribute, p.level, p.weight * factor, p.household) for p in parts]
    _add(parts, suffix)
    return parts


def _name_parts(
    a: Sequence[person.PersonName], b: Sequence[person.PersonName], model: Model
) -> person.NameEvidence:
    """Given name, surname, middle name and suffix, each over all pairs of names."""
    pairs = [person.names(x, y, model) for x in a[:MAX_VALUES] for y in b[:MAX_VALUES]]
    given, family, middle, suffix = zip(*pairs, strict=True)
    return _typical_name(given), _typical_name(family), _typical_name(middle), _typical_name(suffix)


def _typical_name(parts: Sequence[Level | None]) -> Level | None:
    known = [level for level in parts if level is not None]
    return _typical_of(known) if known else None


def _identifiers(a: Side, b: Side, model: Model, policy: Policy) -> list[Level]:
    """One level a type both sides hold. The weightiest agreement counts in full, each further one by `limits.repeat`:

    somebody who shares a phone is likely to share the device as well, so they are no independent witnesses.
    """
    found: list[Level] = []
    lost = a.shared if b.shared else b.shared  # what both hold is shared on both sides
    if a.emails and b.emails:
        _add(found, _trusted(_emails(a.emails, b.emails, model, policy, lost), _EMAIL, policy))
    if a.lines and b.lines:  # phones and WhatsApp accounts are lines alike
        _add(found, _trusted(_lines(a.lines, b.lines, model, lost), _PHONE, policy))
    if a.others and b.others:
        for kind, x in a.others.items():
            y = b.others.get(kind)
            if y is not None:
                _add(found, _trusted(_exactly(kind, x, y, model, lost), kind, policy))
    if len(found) > 1:
        found.sort(key=_against)
        repeat = model.limits["repeat"]
        for n in range(1, len(found)):
            if found[n].weight > 0:
                found[n] = _repeated(found[n], repeat)
    return found


def _against(level: Level) -> tuple[float, str]:
    return -level.weight, level.attribute


def _repeated(level: Level, share: float) -> Level:
    return Level(level.attribute, level.level, level.weight * share, level.household * share)


def _trusted(level: Level | None, kind: IdentifierType, policy: Policy) -> Level | None:
    share = policy.identifiers[kind].weight
    return level if level is None or share == 1.0 else _repeated(level, share)


_Lost = Mapping[Identifier, float]


def _emails(a: Sequence[str], b: Sequence[str], model: Model, policy: Policy, lost: _Lost) -> Level | None:
    roles = policy.role_mailboxes
    if lost:
        return _best_of(
            [
                _if_shared(_EMAIL, x, y, similarity.emails(x, y, model, roles), lost)
                for x in a[:MAX_VALUES]
                for y in b[:MAX_VALUES]
            ]
        )
    if len(a) == 1 and len(b) == 1:
        return similarity.emails(a[0], b[0], model, roles)
    return _best_of([similarity.emails(x, y, model, roles) for x in a[:MAX_VALUES] for y in b[:MAX_VALUES]])


def _lines(a: Sequence[str], b: Sequence[str], model: Model, lost: _Lost) -> Level | None:
    if not lost:
        return _best(a, b, similarity.lines, model)
    return _best_of(
        [
            _if_shared(_PHONE, x, y, similarity.lines(x, y, model), lost)
            for x in a[:MAX_VALUES]
            for y in b[:MAX_VALUES]
        ]
    )


def _exactly(
    kind: IdentifierType, a: frozenset[str], b: frozenset[str], model: Model, lost: _Lost
) -> Level | None:
    both = a & b
    level = model.level(_TYPE_NAMES[kind], "exact" if both else "different")
    if not lost or not both:
        return level
    return _best_of([_if_shared(kind, x, x, level, lost) for x in both])


def _if_shared(kind: IdentifierType, x: str, y: str, level: Level, lost: _Lost) -> Level:
    """Agreement on a value that too many people share: less, or nothing, but never evidence against."""
    less = lost.get(Identifier(kind, x), 0.0) if x == y else 0.0
    if not less:
        return level
    return Level(
        level.attribute,
        "shared",
        min(level.weight, max(0.0, level.weight - less)),
        min(level.household, max(0.0, level.household - less)),
    )
