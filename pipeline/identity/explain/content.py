"""Which content of a record each attribute of the model compares, how it reads, and records with other content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from pipeline.identity.model import Identifier, IdentifierType, IdentityRecord, Trait

PURCHASES = "purchases"


class Content(NamedTuple):
    """The traits and identifier types an attribute is made of."""

    traits: tuple[Trait, ...] = ()
    identifiers: tuple[IdentifierType, ...] = ()


class Part(NamedTuple):
    """What a record says of one attribute."""

    identifiers: tuple[Identifier, ...] = ()
    traits: tuple[tuple[Trait, str], ...] = ()
    products: frozenset[int] = frozenset()
    shared: tuple[tuple[Identifier, float], ...] = ()


ATTRIBUTES: Mapping[str, Content] = {
    "given_name": Content((Trait.FIRST_NAME,)),
    "surname": Content((Trait.LAST_NAME,)),
    "middle_name": Content((Trait.MIDDLE_NAME,)),
    "name_suffix": Content((Trait.NAME_SUFFIX,)),
    "date_of_birth": Content((Trait.DATE_OF_BIRTH,)),
    "gender": Content((Trait.GENDER,)),
    "address": Content(
        (
            Trait.STREET_NUMBER,
            Trait.STREET,
            Trait.UNIT,
            Trait.CITY,
            Trait.STATE,
            Trait.POSTCODE,
            Trait.COUNTRY,
        )
    ),
    "national_id": Content((Trait.NATIONAL_ID,)),
    "employer": Content((Trait.EMPLOYER,)),
    "organisation": Content((Trait.ORGANISATION,)),
    "email": Content(identifiers=(IdentifierType.EMAIL,)),
    "phone": Content(identifiers=(IdentifierType.PHONE, IdentifierType.WHATSAPP)),
    "loyalty_id": Content(identifiers=(IdentifierType.LOYALTY_ID,)),
    "crm_id": Content(identifiers=(IdentifierType.CRM_ID,)),
    "marketplace_id": Content(identifiers=(IdentifierType.MARKETPLACE_ID,)),
    "device_id": Content(identifiers=(IdentifierType.DEVICE_ID,)),
    "cookie_id": Content(identifiers=(IdentifierType.COOKIE_ID,)),
    PURCHASES: Content(),
}
"""Every attribute the model weighs, in the order people read them."""


def part_of(record: IdentityRecord, attribute: str) -> Part:
    """What the record says of the attribute; `Part()` where it says nothing."""
    content = ATTRIBUTES[attribute]
    return Part(
        tuple(i for i in record.identifiers if i.type in content.identifiers),
        tuple((t, record.traits[t]) for t in content.traits if t in record.traits),
        record.products if attribute == PURCHASES else frozenset(),
        tuple(s for s in record.shared if s[0].type in content.identifiers),
    )


def with_part(record: IdentityRecord, attribute: str, part: Part) -> IdentityRecord:
    """The record, saying that of the attribute instead."""
    content = ATTRIBUTES[attribute]
    shared = [s for s in record.shared if s[0].type not in content.identifiers]
    kept = [i for i in record.identifiers if i.type not in content.identifiers]
    traits = {t: v for t, v in record.traits.items() if t not in content.traits}
    return replace(
        record,
        identifiers=tuple(sorted({*kept, *part.identifiers})),
        traits={**traits, **dict(part.traits)},
        products=part.products if attribute == PURCHASES else record.products,
        shared=tuple(sorted((*shared, *part.shared))),
    )


def values(records: Iterable[IdentityRecord], attribute: str) -> tuple[str, ...]:
    """The distinct values the records give of the attribute, sorted, as they read."""
    found: set[str] = set()
    bought: frozenset[int] = frozenset()
    for record in records:
        part = part_of(record, attribute)
        found.update(i.value for i in part.identifiers)
        bought |= part.products
        if part.traits:
            found.add(" ".join(value for _, value in part.traits))
    if bought:
        found.add(f"{len(bought)} product{'s' if len(bought) > 1 else ''}")
    return tuple(sorted(found))
