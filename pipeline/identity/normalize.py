"""Step one of the core: what an event says of a customer, in the one form that is hashed and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache

import orjson

from pipeline.codes import ReasonCode
from pipeline.identity import addresses, contacts, dates, names
from pipeline.identity.model import CanonicalRecord, Identifier, IdentifierType, Issue, Trait
from pipeline.identity.policy import Policy
from pipeline.identity.text import clean, has_unusual_characters, words

MAX_VALUE = 512
"""Longest identifier or trait in characters; a longer one is kept out of matching."""

TRAIT_NAMES = frozenset(t.value for t in Trait) | {"full_name", "address"}
NAME_TRAITS = frozenset(("first_name", "middle_name", "last_name", "full_name"))
"""The trait names an event may use; `full_name` and `address` are taken apart."""

_GENDERS = {
    "m": "m", "male": "m", "man": "m", "boy": "m", "f": "f", "female": "f", "woman": "f", "girl": "f",
    "x": "x", "nonbinary": "x", "non binary": "x", "other": "x", "diverse": "x", "d": "x",
}  # fmt: skip
# an enum's member is looked up by a method, a name of the module is not
_EMAIL, _PHONE, _WHATSAPP = IdentifierType.EMAIL, IdentifierType.PHONE, IdentifierType.WHATSAPP
_FIRST, _MIDDLE, _LAST, _SUFFIX = Trait.FIRST_NAME, Trait.MIDDLE_NAME, Trait.LAST_NAME, Trait.NAME_SUFFIX
_STREET, _NUMBER, _UNIT, _CITY = Trait.STREET, Trait.STREET_NUMBER, Trait.UNIT, Trait.CITY
_STATE, _POSTCODE, _COUNTRY = Trait.STATE, Trait.POSTCODE, Trait.COUNTRY
_NAMELESS = names.NameParts()
_FIELD_NAME = re.compile(r"[a-z][a-z_]{0,40}")
_TYPES, _TRAITS = {t.value: t for t in IdentifierType}, {t.value: t for t in Trait}
_TYPE_NAMES, _TRAIT_NAMES = {t: t.value for t in IdentifierType}, {t: t.value for t in Trait}


def canonicalize(
    identifiers: Mapping[str, Sequence[str]],
    traits: Mapping[str, str],
    policy: Policy,
    *,
    region: str,
    today: date,
) -> CanonicalRecord:
    """The matching content of an event; nothing raises, what cannot be used becomes an Issue.

    `region` is the ISO 3166-1 alpha-2 region of phone numbers without a country code, used where the event names no
    country; `today` tells dates in the future and two-digit years.
    """
    issues: list[Issue] = []
    usable = _usable(traits, policy, issues)
    nation = addresses.country(usable["country"]) if "country" in usable else ""
    found = _identifiers(identifiers, policy, nation if contacts.is_region(nation) else region, issues)
    return CanonicalRecord(found, _traits(usable, policy, today, issues), tuple(issues))


def _usable(traits: Mapping[str, str], policy: Policy, issues: list[Issue]) -> dict[str, str]:
    """The traits that are known, not blank, not too long and no stand-ins."""
    usable: dict[str, str] = {}
    for name, value in traits.items():
        if name not in TRAIT_NAMES:
            issues.append(Issue(f"traits.{_speakable(name)}", ReasonCode.UNKNOWN_FIELD))
        elif len(value) > MAX_VALUE:
            issues.append(Issue(f"traits.{name}", ReasonCode.TOO_LONG))
        elif cleaned := clean(value):
            if name in NAME_TRAITS and has_unusual_characters(value):
                issues.append(Issue(f"traits.{name}", ReasonCode.UNUSUAL_CHARACTERS))
            if cleaned.casefold() in policy.placeholders:
                issues.append(Issue(f"traits.{name}", ReasonCode.PLACEHOLDER))
            else:
                usable[name] = cleaned
    return usable


def _speakable(name: str) -> str:
    """A field's name as far as it can be one; anything else might be a value in the wrong place."""
    return name if _FIELD_NAME.fullmatch(name) else "*"


def _identifiers(
    identifiers: Mapping[str, Sequence[str]], policy: Policy, region: str, issues: list[Issue]
) -> tuple[Identifier, ...]:
    found: set[Identifier] = set()
    for name, values in identifiers.items():
        kind = _TYPES.get(name)
        if kind is None:
            issues.append(Issue(f"identifiers.{_speakable(name)}", ReasonCode.UNKNOWN_FIELD))
            continue
        for value in values:
            outcome = _canonical(kind, value, policy, region)
            if isinstance(outcome, ReasonCode):
                issues.append(Issue(f"identifiers.{name}", outcome))
            else:
                found.add(Identifier(kind, outcome))
    return tuple(sorted(found)) if len(found) > 1 else tuple(found)


def _canonical(kind: IdentifierType, value: str, policy: Policy, region: str) -> str | ReasonCode:
    if len(value) > MAX_VALUE:
        return ReasonCode.TOO_LONG
    cleaned = clean(value)
    if not cleaned or cleaned.casefold() in policy.placeholders:
        return ReasonCode.PLACEHOLDER if cleaned else ReasonCode.INVALID_IDENTIFIER
    if kind is _PHONE:
        return contacts.phone(cleaned, region)
    if kind is _EMAIL:
        return contacts.email(cleaned, policy)
    if kind is _WHATSAPP:
        return contacts.whatsapp(cleaned, region)
    return contacts.opaque(cleaned)


def _traits(given: Mapping[str, str], policy: Policy, today: date, issues: list[Issue]) -> dict[Trait, str]:
    found = _names(given)
    if "date_of_birth" in given:
        born = dates.birth_date(given["date_of_birth"], today, policy.placeholder_dates)
        if isinstance(born, ReasonCode):
            issues.append(Issue("traits.date_of_birth", born))
        else:
            found[Trait.DATE_OF_BIRTH] = born
    if "gender" in given and (gender := _GENDERS.get(" ".join(words(given["gender"])))):
        found[Trait.GENDER] = gender
    if "national_id" in given and (ids := national_ids(given["national_id"])):
        found[Trait.NATIONAL_ID] = ids
    if "employer" in given and (employer := " ".join(words(given["employer"]))):
        found[Trait.EMPLOYER] = employer
    found.update(_address(given, issues))
    return found


def _names(given: Mapping[str, str]) -> dict[Trait, str]:
    """Name traits: the separate parts where given, what is missing from the full name."""
    whole = names.full_name(given["full_name"]) if "full_name" in given else _NAMELESS
    first, of_first = names.name_part(given["first_name"]) if "first_name" in given else (whole.first, "")
    middle = names.name_part(given["middle_name"])[0] if "middle_name" in given else whole.middle
    last, of_last = names.name_part(given["last_name"]) if "last_name" in given else (whole.last, "")
    stated = names.suffix_of(given["name_suffix"]) if "name_suffix" in given else ""
    parts = (
        (_FIRST, first),
        (_MIDDLE, middle),
        (_LAST, last),
        (_SUFFIX, stated or of_last or of_first or whole.suffix),
    )
    return {trait: value for trait, value in parts if value}


_ADDRESS_NAMES = frozenset(
    ("address", "street", "street_number", "unit", "city", "state", "postcode", "country")
)


def _address(given: Mapping[str, str], issues: list[Issue]) -> dict[Trait, str]:
    if _ADDRESS_NAMES.isdisjoint(given):
        return {}
    found = addresses.of_traits(given)
    code = found.postcode
    if code and not code.strip("0"):
        issues.append(Issue("traits.postcode", ReasonCode.PLACEHOLDER))
        code = ""
    parts = (
        (_STREET, found.street),
        (_NUMBER, found.number),
        (_UNIT, found.unit),
        (_CITY, found.city),
        (_STATE, found.state),
        (_POSTCODE, code),
        (_COUNTRY, found.country),
    )
    return {trait: value for trait, value in parts if value}


@lru_cache(maxsize=16_384)
def national_ids(text: str) -> str:
    """Government ids as sorted `kind:value`, joined by `|`; the kind is empty where the source did not say it.

    `ssn:294-66-9999|passport:C 1234` becomes `passport:c1234|ssn:294669999`; ids of zeros only are left out.
    """
    found: set[str] = set()
    for part in text.split("|"):
        kind, colon, value = part.rpartition(":")
        cleaned = "".join(words(value))
        if cleaned.strip("0x") and cleaned != "123456789":
            found.add(f"{'_'.join(words(kind)) if colon else ''}:{cleaned}")
    return "|".join(sorted(found))


def serialize(record: CanonicalRecord, event_id: str = "") -> bytes:
    """The canonical bytes of a record: equal content gives equal bytes. Issues are no part of it.

    Content that two people may have in common (`is_distinct` is false) is told apart by the id of its event.
    """
    content: dict[str, object] = {
        "i": [(_TYPE_NAMES[kind], value) for kind, value in record.identifiers],
        "t": {_TRAIT_NAMES[t]: v for t, v in record.traits.items()},
    }
    if event_id and not record.is_distinct:
        content["e"] = event_id
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def deserialize(serialized: bytes) -> tuple[tuple[Identifier, ...], Mapping[Trait, str]]:
    """What `serialize` wrote. Raises ValueError or KeyError where the bytes are not its own."""
    content = orjson.loads(serialized)
    identifiers = tuple([Identifier(_TYPES[kind], value) for kind, value in content["i"]])
    return identifiers, {_TRAITS[name]: value for name, value in content["t"].items()}
