"""Match keys: keyed hashes of coarse combinations that bring likely matches together (Papadakis et al. 2020, survey).

Each kind catches the pairs another one misses: a typo in the surname is caught by given name and date of birth, a
typo in the date by names and postcode, swapped names by the sorted pair.
"""

from __future__ import annotations

from functools import lru_cache

import jellyfish

from pipeline.identity.hashing import keyed_number
from pipeline.identity.model import CanonicalRecord, IdentifierType, MatchKey, MatchKeyKind, Trait

_SHORTEST_USER = 4
_LINE_TYPES = frozenset((IdentifierType.PHONE, IdentifierType.WHATSAPP))


@lru_cache(maxsize=65_536)
def sound(name: str) -> str:
    """A phonetic code (Metaphone) of a canonical name, spaces ignored; the name itself where it has no code."""
    joined = name.replace(" ", "")
    return jellyfish.metaphone(joined) or joined


def match_keys(record: CanonicalRecord, secret: bytes) -> tuple[MatchKey, ...]:
    """Every key under which this record can be found: sorted, distinct, identifiers included."""
    combinations = set(_of_identifiers(record))
    combinations.update(_of_traits(record))
    return tuple(sorted(MatchKey(k, keyed_number(secret, str(k.value), text)) for k, text in combinations))


def _of_identifiers(record: CanonicalRecord) -> list[tuple[MatchKeyKind, str]]:
    found: list[tuple[MatchKeyKind, str]] = []
    for identifier in record.identifiers:
        # a WhatsApp account is a phone line: both must meet
        kind = "phone" if identifier.type in _LINE_TYPES else identifier.type.value
        found.append((MatchKeyKind.IDENTIFIER, f"{kind}\x1f{identifier.value}"))
        if identifier.type is IdentifierType.EMAIL:
            user = identifier.value.partition("@")[0]
            if len(user) >= _SHORTEST_USER:
                found.append((MatchKeyKind.EMAIL_USER, user))
        elif identifier.type in _LINE_TYPES:
            found.append((MatchKeyKind.PHONE_TAIL, identifier.value[-7:]))
    return found


def _of_traits(record: CanonicalRecord) -> list[tuple[MatchKeyKind, str]]:
    traits = record.traits
    first, last = traits.get(Trait.FIRST_NAME, ""), traits.get(Trait.LAST_NAME, "")
    given, family = sound(first) if first else "", sound(last) if last else ""
    births = traits[Trait.DATE_OF_BIRTH].split("|") if Trait.DATE_OF_BIRTH in traits else ()
    code = traits.get(Trait.POSTCODE, "")
    found: list[tuple[MatchKeyKind, str]] = []
    for born in births:
        if family:
            found.append((MatchKeyKind.NAME_DATE_OF_BIRTH, f"{family}|{born}"))
        if given:
            found.append((MatchKeyKind.GIVEN_NAME_DATE_OF_BIRTH, f"{given}|{born}"))
        if code:
            found.append((MatchKeyKind.DATE_OF_BIRTH_POSTCODE, f"{born}|{code}"))
    if given and family:
        found.append((MatchKeyKind.NAMES, "|".join(sorted((given, family)))))
    if family and code:
        found.append((MatchKeyKind.NAME_POSTCODE, f"{family}|{code}"))
    if family and Trait.CITY in traits:
        found.append((MatchKeyKind.NAME_CITY, f"{family}|{first[:1]}|{traits[Trait.CITY]}"))
    found.extend(_of_address(record, family))
    if Trait.NATIONAL_ID in traits:
        found.extend(
            (MatchKeyKind.NATIONAL_ID, n.rpartition(":")[2]) for n in traits[Trait.NATIONAL_ID].split("|")
        )
    return found


def _of_address(record: CanonicalRecord, family: str) -> list[tuple[MatchKeyKind, str]]:
    traits = record.traits
    number, street = traits.get(Trait.STREET_NUMBER, ""), traits.get(Trait.STREET, "")
    if not street:
        return []
    stem = max(street.split(), key=len)[:4]
    place = traits.get(Trait.POSTCODE) or traits.get(Trait.CITY, "")
    found: list[tuple[MatchKeyKind, str]] = []
    if number:
        found.append((MatchKeyKind.ADDRESS, f"{number}|{stem}|{place}"))
    if family:
        found.append((MatchKeyKind.SURNAME_ADDRESS, f"{family}|{number or stem}"))
    return found
