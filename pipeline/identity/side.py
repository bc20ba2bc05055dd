"""A side of a comparison: everything some records say, as sets of distinct values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.identity.model import IdentifierType, IdentityRecord, Trait
from pipeline.identity.person import PersonName, person_name
from pipeline.identity.similarity import Place

MAX_VALUES = 12
"""Most distinct values of one attribute a side is compared by: a bound on the work, taken in sorted order."""


@dataclass(frozen=True, slots=True)
class Side:
    """The union of what some records say. Every tuple is sorted and distinct: equal content is an equal Side.

    `lines` are the phone numbers of phones and WhatsApp accounts alike.
    """

    identifiers: Mapping[IdentifierType, frozenset[str]]
    lines: frozenset[str]
    names: tuple[PersonName, ...]
    births: tuple[tuple[str, ...], ...]
    genders: tuple[str, ...]
    places: tuple[Place, ...]
    national_ids: frozenset[str]
    employers: tuple[str, ...]
    products: frozenset[int]


def side(records: Iterable[IdentityRecord]) -> Side:
    """The side that some records (one or a cluster) make together."""
    sides = [_of_record(record) for record in records]
    return sides[0] if len(sides) == 1 else join(sides)


def _of_record(record: IdentityRecord) -> Side:
    get = record.traits.get
    first, last = get(Trait.FIRST_NAME, ""), get(Trait.LAST_NAME, "")
    street, city, postcode = get(Trait.STREET, ""), get(Trait.CITY, ""), get(Trait.POSTCODE, "")
    born, ids, gender, employer = (
        get(Trait.DATE_OF_BIRTH),
        get(Trait.NATIONAL_ID),
        get(Trait.GENDER),
        get(Trait.EMPLOYER),
    )
    identifiers: dict[IdentifierType, frozenset[str]] = {}
    for identifier in record.identifiers:
        identifiers[identifier.type] = identifiers.get(identifier.type, frozenset()) | {identifier.value}
    name = (
        person_name(first, get(Trait.MIDDLE_NAME, ""), last, get(Trait.NAME_SUFFIX, ""))
        if first or last
        else None
    )
    return Side(
        identifiers=identifiers,
        lines=_lines(identifiers),
        names=() if name is None else (name,),
        births=(tuple(born.split("|")),) if born else (),
        genders=(gender,) if gender else (),
        places=(
            (
                Place(
                    get(Trait.STREET_NUMBER, ""),
                    street,
                    get(Trait.UNIT, ""),
                    city,
                    get(Trait.STATE, ""),
                    postcode,
                ),
            )
            if street or city or postcode
            else ()
        ),
        national_ids=frozenset(ids.split("|")) if ids else frozenset(),
        employers=(employer,) if employer else (),
        products=record.products,
    )


def _lines(identifiers: Mapping[IdentifierType, frozenset[str]]) -> frozenset[str]:
    phones = identifiers.get(IdentifierType.PHONE, frozenset())
    return phones | identifiers.get(IdentifierType.WHATSAPP, frozenset())


def join(sides: Sequence[Side]) -> Side:
    """The union of sides."""
    identifiers: dict[IdentifierType, frozenset[str]] = {}
    for s in sides:
        for kind, values in s.identifiers.items():
            identifiers[kind] = identifiers.get(kind, frozenset()) | values
    return Side(
        identifiers=identifiers,
        lines=_lines(identifiers),
        names=tuple(sorted({n for s in sides for n in s.names})),
        births=tuple(sorted({b for s in sides for b in s.births})),
        genders=tuple(sorted({g for s in sides for g in s.genders})),
        places=tuple(sorted({p for s in sides for p in s.places})),
        national_ids=frozenset().union(*(s.national_ids for s in sides)),
        employers=tuple(sorted({e for s in sides for e in s.employers})),
        products=frozenset().union(*(s.products for s in sides)),
    )
