"""Match keys: keyed hashes of coarse combinations that bring likely matches together (Papadakis et al. 2020, a survey).

Each kind catches pairs that the others miss: a misspelt surname is caught by given name and date of birth, a wrong
date by names and postcode, given name and surname the wrong way round by keys that do not tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import jellyfish

from pipeline.identity.hashing import keyed_number, keyed_numbers
from pipeline.identity.model import (
    CanonicalRecord,
    Identifier,
    IdentifierType,
    IdentityRecord,
    MatchKey,
    MatchKeyKind,
    Trait,
)
from pipeline.identity.partial_dates import is_whole

_SHORTEST_USER = 4
_NOT_LETTERS = re.compile(r"[^a-z]+")

# an enum's member is looked up by a method, a name of the module is not
_IDENTIFIER, _EMAIL_USER, _EMAIL_LETTERS = (
    MatchKeyKind.IDENTIFIER,
    MatchKeyKind.EMAIL_USER,
    MatchKeyKind.EMAIL_LETTERS,
)
_PHONE_TAIL, _NATIONAL_ID = MatchKeyKind.PHONE_TAIL, MatchKeyKind.NATIONAL_ID
_DATE_OF_BIRTH, _NAME_DATE_OF_BIRTH = MatchKeyKind.DATE_OF_BIRTH, MatchKeyKind.NAME_DATE_OF_BIRTH
_NAMES, _NAME_LETTERS = MatchKeyKind.NAMES, MatchKeyKind.NAME_LETTERS
_NAME_BEGINNINGS, _NAME_POSTCODE = MatchKeyKind.NAME_BEGINNINGS, MatchKeyKind.NAME_POSTCODE
_NAME_CITY, _ADDRESS, _SURNAME_ADDRESS = (
    MatchKeyKind.NAME_CITY,
    MatchKeyKind.ADDRESS,
    MatchKeyKind.SURNAME_ADDRESS,
)
_NAME, _NAME_SPELLING, _NAME_STREET = MatchKeyKind.NAME, MatchKeyKind.NAME_SPELLING, MatchKeyKind.NAME_STREET
_CITY_YEAR = MatchKeyKind.CITY_YEAR
_EMAIL_NAME, _EMAIL_DOMAIN = MatchKeyKind.EMAIL_NAME, MatchKeyKind.EMAIL_DOMAIN
_EMAIL, _LINE_TYPES = IdentifierType.EMAIL, frozenset((IdentifierType.PHONE, IdentifierType.WHATSAPP))
_FIRST, _LAST, _BORN, _IDS = Trait.FIRST_NAME, Trait.LAST_NAME, Trait.DATE_OF_BIRTH, Trait.NATIONAL_ID
_ORGANISATION = Trait.ORGANISATION
_NUMBER, _STREET, _CITY, _POSTCODE = Trait.STREET_NUMBER, Trait.STREET, Trait.CITY, Trait.POSTCODE

_DOMAINS = {kind: str(kind.value) for kind in MatchKeyKind}
# a WhatsApp account is a phone line: both must meet
_MEETING = {kind: "phone" if kind in _LINE_TYPES else kind.value for kind in IdentifierType}

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
    found = _combinations(record)
    keys = keyed_numbers(secret, [(_DOMAINS[kind], text) for kind, text in found])
    return tuple(sorted([MatchKey(kind, key) for (kind, _), key in zip(found, keys, strict=True)]))


def twin_keys(record: CanonicalRecord, secret: bytes, other: bytes) -> dict[int, int]:
    """The numbers of the record's match keys under one secret, and what each is under another."""
    texts = [(_DOMAINS[kind], text) for kind, text in _combinations(record)]
    return dict(zip(keyed_numbers(secret, texts), keyed_numbers(other, texts), strict=True))


def _combinations(record: CanonicalRecord) -> list[Combination]:
    """What it can be found by, each once."""
    users = [value.partition("@")[0] for kind, value in record.identifiers if kind is _EMAIL]
    return list(
        {
            *_of_identifiers(record),
            *_of_person(record.traits),
            *_of_address(record.traits),
            *_of_words(record.traits, users),
            *_of_birth(record.traits),
        }
    )


def keys_of(record: IdentityRecord, secret: bytes) -> tuple[MatchKey, ...]:
    """The same of a stored record."""
    return match_keys(CanonicalRecord(record.identifiers, record.traits), secret)


def identifier_key(identifier: Identifier, secret: bytes) -> int:
    """The match key of an identifier."""
    kind, value = identifier
    return keyed_number(secret, _DOMAINS[_IDENTIFIER], f"{_MEETING[kind]}\x1f{value}")


def _of_identifiers(record: CanonicalRecord) -> list[Combination]:
    found: list[Combination] = []
    for kind, value in record.identifiers:
        found.append((_IDENTIFIER, f"{_MEETING[kind]}\x1f{value}"))
        if kind is _EMAIL:
            user, _, domain = value.partition("@")
            if len(user) >= _SHORTEST_USER:
                found.append((_EMAIL_USER, user))
            found.append((_EMAIL_LETTERS, f"{letters(user)}@{domain}"))
            if name := letters(_NOT_LETTERS.sub("", user)):
                found.append((_EMAIL_NAME, name))
            found.append((_EMAIL_DOMAIN, domain[:4]))
        elif kind in _LINE_TYPES:
            found.append((_PHONE_TAIL, value[-7:]))
    return found


def _of_person(traits: Mapping[Trait, str]) -> list[Combination]:
    get = traits.get
    first, last = get(_FIRST, ""), get(_LAST, "") or get(_ORGANISATION, "")
    code, town = get(_POSTCODE, ""), get(_CITY, "")
    given, family = sound(first) if first else "", sound(last) if last else ""
    # one kind for both names: they may stand the wrong way round
    sounds = [name for name in (given, family) if name]
    found: list[Combination] = []
    for born in get(_BORN, "").split("|"):
        if not born or not is_whole(born):
            break
        found.append((_DATE_OF_BIRTH, born))
        found += [(_NAME_DATE_OF_BIRTH, f"{name}|{born}") for name in sounds]
    if given and family:
        found.append((_NAMES, _either_way(given, family)))
        found.append((_NAME_LETTERS, _either_way(letters(first), letters(last))))
        found.append((_NAME_BEGINNINGS, _either_way(first[:3], last[:3])))
    if family and code:
        found.append((_NAME_POSTCODE, f"{family}|{code}"))
    if town:
        place = sound(town)
        found += [(_NAME_CITY, f"{name}|{place}") for name in sounds]
    for number in get(_IDS, "").split("|"):
        if number:
            found.append((_NATIONAL_ID, number.rpartition(":")[2]))
    return found


def _of_words(traits: Mapping[Trait, str], users: Sequence[str]) -> list[Combination]:
    """A rare name is enough by itself, wherever it stands: in either name, or in an e-mail address.

    A given name seldom is: by its letters alone, or in a street, where a surname has keys of its own.
    """
    get = traits.get
    first, last, firm = get(_FIRST, ""), get(_LAST, ""), get(_ORGANISATION, "").split()
    written = [w for user in users for w in _NOT_LETTERS.split(user) if len(w) >= _SHORTEST_USER]
    found = [(_NAME, sound(word)) for word in (last, *firm, *written) if len(word) > 1]
    found += [(_NAME_SPELLING, letters(w)) for w in (first, last, *firm) if len(w) >= _SHORTEST_USER]
    if street := get(_STREET, ""):
        found += [(_NAME_STREET, f"{name[:3]}|{street[:4]}") for name in (first, *firm) if len(name) > 1]
    return found


def _of_birth(traits: Mapping[Trait, str]) -> list[Combination]:
    """A date of birth that is days or a decade off, in a town: its year's last digit is what stays."""
    town = traits.get(_CITY, "")
    return [
        (_CITY_YEAR, f"{town[:2]}|{born[3]}") for born in traits.get(_BORN, "").split("|") if town and born
    ]


def _either_way(x: str, y: str) -> str:
    return f"{x}|{y}" if x <= y else f"{y}|{x}"


def _of_address(traits: Mapping[Trait, str]) -> list[Combination]:
    get = traits.get
    number, street, last = get(_NUMBER, ""), get(_STREET, ""), get(_LAST, "")
    if not street:
        return []
    stem = max(street.split(), key=len)[:4]
    found: list[Combination] = []
    # a farm or a house that has a name instead of a number is found by its street
    place = get(_POSTCODE) or get(_CITY, "")
    if number or place:
        found.append((_ADDRESS, f"{number}|{stem}|{place}"))
    if last:
        found.append((_SURNAME_ADDRESS, f"{sound(last)}|{number or stem}"))
    return found
