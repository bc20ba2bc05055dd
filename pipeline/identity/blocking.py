"""Match keys: keyed hashes of coarse combinations that bring likely matches together (Papadakis et al. 2020, a survey).

Each kind catches pairs that the others miss: a misspelt surname is caught by given name and date of birth, a wrong
date by names and postcode, given name and surname the wrong way round by keys that do not tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import jellyfish

from pipeline.identity.hashing import keyed_number
from pipeline.identity.model import CanonicalRecord, IdentifierType, MatchKey, MatchKeyKind, Trait

_LINE_TYPES = frozenset((IdentifierType.PHONE, IdentifierType.WHATSAPP))
_SHORTEST_USER = 4

Combination = tuple[MatchKeyKind, str]


@lru_cache(maxsize=65_536)
def sound(name: str) -> str:
    """A phonetic code (Metaphone) of a canonical name, spaces ignored; the name itself where it has no code."""
    joined = name.replace(" ", "")
    return jellyfish.metaphone(joined) or joined


@lru_cache(maxsize=65_536)
def letters(text: str) -> str:
    """The distinct letters of a text in order: unmoved by swapped, doubled and repeated letters."""
    return "".join(sorted(set(text)))


def match_keys(record: CanonicalRecord, secret: bytes) -> tuple[MatchKey, ...]:
    """Every key under which this record can be found: sorted, distinct, identifiers included."""
    combinations = {*_of_identifiers(record), *_of_person(record), *_of_address(record)}
    keyed = sorted((kind, keyed_number(secret, _DOMAINS[kind], text)) for kind, text in combinations)
    return tuple(MatchKey(kind, key) for kind, key in keyed)


_DOMAINS = {kind: str(kind.value) for kind in MatchKeyKind}


def _of_identifiers(record: CanonicalRecord) -> Iterator[Combination]:
    for identifier in record.identifiers:
        # a WhatsApp account is a phone line: both must meet
        kind = "phone" if identifier.type in _LINE_TYPES else identifier.type.value
        yield MatchKeyKind.IDENTIFIER, f"{kind}\x1f{identifier.value}"
        if identifier.type is IdentifierType.EMAIL:
            user, _, domain = identifier.value.partition("@")
            if len(user) >= _SHORTEST_USER:
                yield MatchKeyKind.EMAIL_USER, user
            yield MatchKeyKind.EMAIL_LETTERS, f"{letters(user)}@{domain}"
        elif identifier.type in _LINE_TYPES:
            yield MatchKeyKind.PHONE_TAIL, identifier.value[-7:]


def _of_person(record: CanonicalRecord) -> Iterator[Combination]:
    get = record.traits.get
    first, last, code, town = (
        get(Trait.FIRST_NAME, ""),
        get(Trait.LAST_NAME, ""),
        get(Trait.POSTCODE, ""),
        get(Trait.CITY, ""),
    )
    given, family = sound(first) if first else "", sound(last) if last else ""
    for born in get(Trait.DATE_OF_BIRTH, "").split("|"):
        if not born:
            break
        yield MatchKeyKind.DATE_OF_BIRTH, born
        # one kind for both names: they may stand the wrong way round
        for name in (given, family):
            if name:
                yield MatchKeyKind.NAME_DATE_OF_BIRTH, f"{name}|{born}"
        if code:
            yield MatchKeyKind.DATE_OF_BIRTH_POSTCODE, f"{born}|{code}"
    if given and family:
        yield MatchKeyKind.NAMES, "|".join(sorted((given, family)))
        yield MatchKeyKind.NAME_LETTERS, "|".join(sorted((letters(first), letters(last))))
        yield MatchKeyKind.NAME_BEGINNINGS, "|".join(sorted((first[:3], last[:3])))
    if family and code:
        yield MatchKeyKind.NAME_POSTCODE, f"{family}|{code}"
    if town:
        place = sound(town)
        for name in (given, family):
            if name:
                yield MatchKeyKind.NAME_CITY, f"{name}|{place}"
    for number in get(Trait.NATIONAL_ID, "").split("|"):
        if number:
            yield MatchKeyKind.NATIONAL_ID, number.rpartition(":")[2]


def _of_address(record: CanonicalRecord) -> Iterator[Combination]:
    get = record.traits.get
    number, street, last = get(Trait.STREET_NUMBER, ""), get(Trait.STREET, ""), get(Trait.LAST_NAME, "")
    if not street:
        return
    stem = max(street.split(), key=len)[:4]
    if number:
        yield MatchKeyKind.ADDRESS, f"{number}|{stem}|{get(Trait.POSTCODE) or get(Trait.CITY, '')}"
    if last:
        yield MatchKeyKind.SURNAME_ADDRESS, f"{sound(last)}|{number or stem}"
