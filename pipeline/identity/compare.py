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
_BESIDE = 1.0
"""Bits from which agreement in another attribute counts as something beside a name."""
_EMAIL, _PHONE = IdentifierType.EMAIL, IdentifierType.PHONE
_TYPE_NAMES = {kind: kind.value for kind in IdentifierType}
_IDENTIFIERS = frozenset(_TYPE_NAMES.values())
_NAME_PARTS = frozenset(("given_name", "surname", "middle_name"))


def compare(a: Side, b: Side, model: Model, policy: Policy, floor: float = -inf) -> Comparison:
    """The evidence for and against `a` and `b` being one person; symmetric, the same to the last bit each time.

    Of a pair whose weight is below `floor` only weight and confidence are told: no levels and no veto.
    """
    found = adjusted(levels(a, b, model, policy), model)
    strangers, household = sums(found, model)
    weight = against_both(strangers, household)
    if weight < floor:
        return Comparison(weight, confidence(weight), ())
    told = [LevelWeight(attribute, level, bits) for attribute, level, bits, _ in found]
    if weight - strangers < -_WORTH_SAYING:
        told.append(LevelWeight("household", "possible", weight - strangers))
    return Comparison(weight, confidence(weight), tuple(told), _veto(a, b, found, policy))


def sums(found: Sequence[Level], model: Model) -> tuple[float, float]:
    """The log2 odds of one person against two strangers, and against two of a household."""
    strangers, household = model.prior, model.household_prior
    for _, _, weight, in_household in found:
        strangers += weight
        household += in_household
    return strangers, household


def adjusted(found: list[Level], model: Model) -> list[Level]:
    """The levels with what depends on each other discounted.

    The parts of a name together count for no more than `limits.names`, and for no more than `limits.names_alone` where
    nothing else agrees by a bit or more: a name alone names nobody. And somebody who shares a phone is likely to share
    the device as well, so of several identifiers that agree the weightiest counts in full, each further one by
    `limits.repeat`.
    """
    name, shared, beside = 0.0, 0, False
    for attribute, _, weight, _ in found:
        if attribute in _NAME_PARTS:
            name += weight
        elif weight > 0:
            beside = beside or weight >= _BESIDE
            shared += attribute in _IDENTIFIERS
    if name > (most := model.limits["names" if beside else "names_alone"]):
        share = most / name
        found = [Level(f[0], f[1], f[2] * share, f[3]) if f[0] in _NAME_PARTS else f for f in found]
    return found if shared < 2 else _repeats_discounted(found, model.limits["repeat"])


def _repeats_discounted(found: Sequence[Level], share: float) -> list[Level]:
    identifiers = sorted([f for f in found if f.attribute in _IDENTIFIERS], key=_against)
    return [
        *(f for f in found if f.attribute not in _IDENTIFIERS),
        identifiers[0],
        *(_repeated(f, share) if f.weight > 0 else f for f in identifiers[1:]),
    ]


def levels(a: Side, b: Side, model: Model, policy: Policy) -> list[Level]:
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
    if a.organisations and b.organisations:
        found.append(_typical(a.organisations, b.organisations, similarity.organisations, model))
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
    if reached.get("name_suffix") == "different":  # Jr and Sr are two people, however much else they share
        return ReasonCode.VETO_CONTRADICTING_PERSON
    if (
        reached.get("given_name") in ("different", "other_name")
        and reached.get("date_of_birth") in ("different", "age_gap")
        # a government gave both the same number: let the weights decide
        and reached.get("national_id") != "exact"
    ):
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
    """Levels of the name's parts."""
    parts = person.names(a[0], b[0], model) if len(a) == 1 and len(b) == 1 else _name_parts(a, b, model)
    return [part for part in parts if part is not None]


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
    """One level a type both sides hold."""
    found: list[Level] = []
    lost = a.shared if b.shared else b.shared  # what both hold is shared on both sides
    if a.emails and b.emails:
        level = _emails(a.emails, b.emails, model, policy, lost)
        if level is None or level.level != "user" or not _is_name_of(a, b):
            _add(found, _trusted(level, _EMAIL, policy))
    if a.lines and b.lines:  # phones and WhatsApp accounts are lines alike
        _add(found, _trusted(_lines(a.lines, b.lines, model, lost), _PHONE, policy))
    if a.others and b.others:
        for kind, x in a.others.items():
            y = b.others.get(kind)
            if y is not None:
                _add(found, _trusted(_exactly(kind, x, y, model, lost), kind, policy))
    found.sort(key=_against)  # not as either side came to hold them: sums are the same to the last bit
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


def _is_name_of(a: Side, b: Side) -> bool:
    """True where the user name both have at different providers is made of the name of one of them.

    jjones here and jjones there: the name, which counts already, says as much.
    """
    users = {email.partition("@")[0] for email in a.emails} & {email.partition("@")[0] for email in b.emails}
    parts = {part for s in (a, b) for name in s.names for part in (name.first, name.last) if len(part) > 2}
    return any(part in user for user in users for part in parts)
