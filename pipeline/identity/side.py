"""A side of a comparison: everything some records say, as sets of distinct values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from pipeline.identity.model import Identifier, IdentifierType, IdentityRecord, Trait
from pipeline.identity.partial_dates import telling
from pipeline.identity.person import PersonName
from pipeline.identity.similarity import Place

MAX_VALUES = 12
"""Most distinct values of one attribute a side is compared by: a bound on the work, taken in sorted order."""

# an enum's member is looked up by a method, a name of the module is not
_EMAIL, _PHONE, _WHATSAPP = IdentifierType.EMAIL, IdentifierType.PHONE, IdentifierType.WHATSAPP
_FIRST, _MIDDLE, _LAST, _SUFFIX = Trait.FIRST_NAME, Trait.MIDDLE_NAME, Trait.LAST_NAME, Trait.NAME_SUFFIX
_NUMBER, _STREET, _UNIT = Trait.STREET_NUMBER, Trait.STREET, Trait.UNIT
_CITY, _STATE, _POSTCODE = Trait.CITY, Trait.STATE, Trait.POSTCODE
_BORN, _GENDER, _IDS = Trait.DATE_OF_BIRTH, Trait.GENDER, Trait.NATIONAL_ID
_EMPLOYER, _ORGANISATION = Trait.EMPLOYER, Trait.ORGANISATION
_NONE: frozenset[str] = frozenset()
_NOTHING: Mapping[Identifier, float] = {}


class Side(NamedTuple):
    """The union of what some records say. Every tuple is sorted and distinct: equal content is an equal Side.

    `lines` are the phone numbers of phones and WhatsApp accounts alike; `others` the identifiers that are neither
    lines nor e-mail addresses; `shared` the bits that agreement on an identifier has lost, a line's as a phone's.
    """

    identifiers: Mapping[IdentifierType, frozenset[str]]
    emails: tuple[str, ...]
    lines: tuple[str, ...]
    others: Mapping[IdentifierType, frozenset[str]]
    names: tuple[PersonName, ...]
    births: tuple[tuple[str, ...], ...]
    genders: tuple[str, ...]
    places: tuple[Place, ...]
    national_ids: frozenset[str]
    employers: tuple[str, ...]
    organisations: tuple[str, ...]
    products: frozenset[int]
    shared: Mapping[Identifier, float]


def side(records: Iterable[IdentityRecord]) -> Side:
    """The side that some records (one or a cluster) make together."""
    sides = [_of(record) for record in records]
    return sides[0] if len(sides) == 1 else join(sides)


def _of(record: IdentityRecord) -> Side:
    own = record.own_side
    if not isinstance(own, Side):
        own = _of_record(record)
        # the record stays what it is: its side follows from its content
        object.__setattr__(record, "own_side", own)
    if record.products or record.shared:
        return own._replace(products=record.products, shared=dict(record.shared))
    return own


def _of_record(record: IdentityRecord) -> Side:
    """What a record says, its purchases left out."""
    get = record.traits.get
    first, last = get(_FIRST, ""), get(_LAST, "")
    street, city, postcode = get(_STREET, ""), get(_CITY, ""), get(_POSTCODE, "")
    born, gender, ids, employer = get(_BORN), get(_GENDER), get(_IDS), get(_EMPLOYER)
    organisation = get(_ORGANISATION)
    identifiers: dict[IdentifierType, frozenset[str]] = {}
    for kind, value in record.identifiers:
        held = identifiers.get(kind)
        identifiers[kind] = frozenset((value,)) if held is None else held | {value}
    emails, lines, others = _parted(identifiers)
    return Side(
        identifiers,
        emails,
        lines,
        others,
        (PersonName(first, get(_MIDDLE, ""), last, get(_SUFFIX, "")),) if first or last else (),
        (tuple(born.split("|")),) if born else (),
        (gender,) if gender else (),
        (Place(get(_NUMBER, ""), street, get(_UNIT, ""), city, get(_STATE, ""), postcode),)
        if street or city or postcode
        else (),
        frozenset(ids.split("|")) if ids else _NONE,
        (employer,) if employer else (),
        (organisation,) if organisation else (),
        frozenset(),
        _NOTHING,
    )


def _parted(
    identifiers: Mapping[IdentifierType, frozenset[str]],
) -> tuple[tuple[str, ...], tuple[str, ...], dict[IdentifierType, frozenset[str]]]:
    """E-mail addresses, lines, and the rest by type."""
    emails, lines, others = _NONE, _NONE, {}
    for kind, values in identifiers.items():
        if kind is _EMAIL:
            emails = values
        elif kind is _PHONE or kind is _WHATSAPP:
            lines = lines | values if lines else values
        else:
            others[kind] = values
    return _in_order(emails), _in_order(lines), others


def _in_order(values: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(values)) if len(values) > 1 else tuple(values)


def join(sides: Sequence[Side]) -> Side:
    """The union of sides."""
    identifiers: dict[IdentifierType, frozenset[str]] = {}
    for s in sides:
        for kind, values in s.identifiers.items():
            identifiers[kind] = identifiers[kind] | values if kind in identifiers else values
    emails, lines, others = _parted(identifiers)
    return Side(
        identifiers=identifiers,
        emails=emails,
        lines=lines,
        others=others,
        names=tuple(sorted({n for s in sides for n in s.names})),
        births=telling(sorted({b for s in sides for b in s.births})),
        genders=tuple(sorted({g for s in sides for g in s.genders})),
        places=tuple(sorted({p for s in sides for p in s.places})),
        national_ids=_NONE.union(*(s.national_ids for s in sides)),
        employers=tuple(sorted({e for s in sides for e in s.employers})),
        organisations=tuple(sorted({o for s in sides for o in s.organisations})),
        products=frozenset().union(*(s.products for s in sides)),
        shared=dict(chain.from_iterable(s.shared.items() for s in sides)),
    )
