"""Step one of the core: what an event says of a customer, in the one form that is hashed and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache

import orjson

from pipeline.codes import ReasonCode
from pipeline.identity import addresses, contacts, dates, names, phones, place_names
from pipeline.identity.firms import firm, is_firm
from pipeline.identity.model import CanonicalRecord, Identifier, IdentifierType, Issue, Trait
from pipeline.identity.name_words import is_stand_in
from pipeline.identity.national_ids import national_ids
from pipeline.identity.policy import Policy
from pipeline.identity.text import clean, has_unusual_characters, vocabulary, whole_number, words

MAX_VALUE = 512
"""Longest identifier or trait in characters; a longer one is kept out of matching."""

TRAIT_NAMES = frozenset(t.value for t in Trait) | {"full_name", "address"}
NAME_TRAITS = frozenset(("first_name", "middle_name", "last_name", "full_name"))
"""The trait names an event may use; `full_name` and `address` are taken apart."""

_GENDERS = {
    word: gender
    for gender, those in (
        (
            "m",
            "m male man boy 1 mann mannlich homme masculin h hombre masculino maschio uomo homem mannelijk",
        ),
        (
            "f",
            "f female woman girl 2 w frau weiblich femme feminin mujer femenino femmina donna feminino mulher vrouw",
        ),
        ("x", "x nonbinary other diverse d divers non"),
    )
    for word in those.split()
}
"""The first word of what people write, ISO/IEC 5218 (1, 2) included."""

_GENDERLESS = vocabulary("u 0 9 unknown unspecified not prefer undisclosed")
_SPANISH = vocabulary("ES MX CO AR PE CL VE EC GT CU BO DO HN PY SV NI CR PA UY PR")
"""Countries where a full name ends in two surnames."""

# an enum's member is looked up by a method, a name of the module is not
_EMAIL, _PHONE, _WHATSAPP = IdentifierType.EMAIL, IdentifierType.PHONE, IdentifierType.WHATSAPP
_IN_LISTS = frozenset((_EMAIL, _PHONE, _WHATSAPP))
_FIRST, _MIDDLE, _LAST, _SUFFIX = Trait.FIRST_NAME, Trait.MIDDLE_NAME, Trait.LAST_NAME, Trait.NAME_SUFFIX
_STREET, _NUMBER, _UNIT, _CITY = Trait.STREET, Trait.STREET_NUMBER, Trait.UNIT, Trait.CITY
_STATE, _POSTCODE, _COUNTRY = Trait.STATE, Trait.POSTCODE, Trait.COUNTRY
_NAMELESS = names.NameParts()
_NAME_PARTS = NAME_TRAITS | {"name_suffix"}
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
    nation = place_names.country(usable["country"]) if "country" in usable else ""
    there = nation if phones.is_region(nation) else region
    found = _identifiers(identifiers, policy, there, region, issues)
    return CanonicalRecord(found, _traits(usable, policy, nation, today, issues), tuple(issues))


def _usable(traits: Mapping[str, str], policy: Policy, issues: list[Issue]) -> dict[str, str]:
    """The traits that are known, not blank, not too long and no stand-ins."""
    usable: dict[str, str] = {}
    for name, value in traits.items():
        if name not in TRAIT_NAMES:
            issues.append(Issue(f"traits.{_speakable(name)}", ReasonCode.UNKNOWN_FIELD))
        elif len(value) > MAX_VALUE:
            issues.append(Issue(f"traits.{name}", ReasonCode.TOO_LONG))
        elif cleaned := clean(value):
            if len(cleaned) > MAX_VALUE:  # one character may stand for many
                issues.append(Issue(f"traits.{name}", ReasonCode.TOO_LONG))
                continue
            if name in NAME_TRAITS and has_unusual_characters(value):
                issues.append(Issue(f"traits.{name}", ReasonCode.UNUSUAL_CHARACTERS))
            if cleaned.casefold() in policy.placeholders:
                issues.append(Issue(f"traits.{name}", ReasonCode.PLACEHOLDER))
            else:
                usable[name] = cleaned if name != "address" else _one_line(value, cleaned)
    return usable


def _one_line(value: str, cleaned: str) -> str:
    """The lines of an address as what commas part."""
    return clean(", ".join(value.splitlines())) if "\n" in value else cleaned


def _speakable(name: str) -> str:
    """A field's name as far as it can be one; anything else might be a value in the wrong place."""
    return name if _FIELD_NAME.fullmatch(name) else "*"


def _identifiers(
    identifiers: Mapping[str, Sequence[str]], policy: Policy, region: str, home: str, issues: list[Issue]
) -> tuple[Identifier, ...]:
    found: set[Identifier] = set()
    for name, values in identifiers.items():
        kind = _TYPES.get(name)
        if kind is None:
            issues.append(Issue(f"identifiers.{_speakable(name)}", ReasonCode.UNKNOWN_FIELD))
            continue
        for value in _apart(kind, values) if kind in _IN_LISTS else values:
            outcome = _canonical(kind, value, policy, region, home)
            if isinstance(outcome, ReasonCode):
                issues.append(Issue(f"identifiers.{name}", outcome))
            else:
                found.add(Identifier(kind, outcome))
    return tuple(sorted(found)) if len(found) > 1 else tuple(found)


def _apart(kind: IdentifierType, values: Sequence[str]) -> Sequence[str]:
    """Each value alone where a field holds several."""
    parts = contacts.emails_of if kind is _EMAIL else phones.phones_of
    return parts(values[0]) if len(values) == 1 else [one for value in values for one in parts(value)]


def _canonical(kind: IdentifierType, value: str, policy: Policy, region: str, home: str) -> str | ReasonCode:
    # one character may stand for many
    if len(value) > MAX_VALUE or len(cleaned := clean(value)) > MAX_VALUE:
        return ReasonCode.TOO_LONG
    if not cleaned or cleaned.casefold() in policy.placeholders:
        return ReasonCode.PLACEHOLDER if cleaned else ReasonCode.INVALID_IDENTIFIER
    if kind is _PHONE:
        return phones.phone(cleaned, region, home, policy.placeholder_phones)
    if kind is _EMAIL:
        return contacts.email(cleaned, policy)
    if kind is _WHATSAPP:
        return phones.whatsapp(cleaned, region, home, policy.placeholder_phones)
    return contacts.opaque(cleaned)


def _traits(
    given: Mapping[str, str], policy: Policy, nation: str, today: date, issues: list[Issue]
) -> dict[Trait, str]:
    given = _with_organisation(given)
    found = _names(given, nation in _SPANISH, policy, issues) if not _NAME_PARTS.isdisjoint(given) else {}
    if "date_of_birth" in given:
        born = dates.birth_date(given["date_of_birth"], today, policy.placeholder_dates)
        if isinstance(born, ReasonCode):
            issues.append(Issue("traits.date_of_birth", born))
        else:
            found[Trait.DATE_OF_BIRTH] = born
    if "gender" in given:
        gender = _gender(given["gender"])
        if isinstance(gender, ReasonCode):
            issues.append(Issue("traits.gender", gender))
        else:
            found[Trait.GENDER] = gender
    if "national_id" in given:
        ids, refused = national_ids(given["national_id"])
        if refused:
            issues.append(Issue("traits.national_id", ReasonCode.PLACEHOLDER))
        if ids:
            found[Trait.NATIONAL_ID] = ids
    found.update(_firms(given, _FIRST in found or _LAST in found, policy, issues))
    found.update(_address(given, policy, issues))
    return found


def _with_organisation(given: Mapping[str, str]) -> Mapping[str, str]:
    """A firm's name that stands where a person's does, by its legal form, in its own place."""
    name = "full_name" if "full_name" in given else "last_name"
    if name not in given or "first_name" in given or not is_firm(given[name]):
        return given
    rest = {trait: value for trait, value in given.items() if trait != name}
    return {"organisation": given[name], **rest}


@lru_cache(maxsize=256)
def _gender(text: str) -> str | ReasonCode:
    found = words(whole_number(text))
    if not found or found[0] in _GENDERLESS:
        return ReasonCode.PLACEHOLDER
    return _GENDERS.get(found[0], ReasonCode.INVALID_VALUE)


def _firms(
    given: Mapping[str, str], is_person: bool, policy: Policy, issues: list[Issue]
) -> dict[Trait, str]:
    """The firm that the customer is, or that the person named beside it works for."""
    own = firm(given["organisation"]) if "organisation" in given else ""
    if own and is_stand_in(own, policy.placeholders):
        issues.append(Issue("traits.organisation", ReasonCode.PLACEHOLDER))
        own = ""
    employer = firm(given["employer"]) if "employer" in given else ""
    found = {
        Trait.EMPLOYER: employer or (own if is_person else ""),
        Trait.ORGANISATION: "" if is_person else own,
    }
    return {trait: value for trait, value in found.items() if value}


def _names(
    given: Mapping[str, str], two_surnames: bool, policy: Policy, issues: list[Issue]
) -> dict[Trait, str]:
    """Name traits: the separate parts where given, what is missing from the full name; no stand-ins."""
    whole = names.full_name(given["full_name"], two_surnames) if "full_name" in given else _NAMELESS
    first = names.given_name(given["first_name"]) if "first_name" in given else whole
    last = names.family_name(given["last_name"]) if "last_name" in given else whole
    told = given.get("middle_name") or first.middle or last.middle
    middle = names.middle_name(told) if told else _NAMELESS
    stated = names.suffix_of(given["name_suffix"]) if "name_suffix" in given else ""
    found: dict[Trait, str] = {}
    for trait, value in ((_FIRST, first.first), (_MIDDLE, middle.middle), (_LAST, last.last)):
        name = _TRAIT_NAMES[trait]
        if value and not is_stand_in(value, policy.placeholders):
            found[trait] = value
        elif value or name in given:
            field = name if name in given or "full_name" not in given else "full_name"
            issues.append(Issue(f"traits.{field}", ReasonCode.PLACEHOLDER))
    if "full_name" in given and not any(whole):
        issues.append(Issue("traits.full_name", ReasonCode.PLACEHOLDER))
    if suffix := stated or last.suffix or first.suffix or middle.suffix or whole.suffix:
        found[_SUFFIX] = suffix
    return found


_ADDRESS_NAMES = frozenset(
    ("address", "street", "street_number", "unit", "city", "state", "postcode", "country")
)


def _address(given: Mapping[str, str], policy: Policy, issues: list[Issue]) -> dict[Trait, str]:
    if _ADDRESS_NAMES.isdisjoint(given):
        return {}
    found = addresses.of_traits(given)
    code, town = found.postcode, found.city
    if code and not (code.strip("0") and (code.strip("9") or len(code) < 4)):
        issues.append(Issue("traits.postcode", ReasonCode.PLACEHOLDER))
        code = ""
    if town and is_stand_in(town, policy.placeholders):
        issues.append(Issue("traits.city", ReasonCode.PLACEHOLDER))
        town = ""
    parts = (
        (_STREET, found.street),
        (_NUMBER, found.number),
        (_UNIT, found.unit),
        (_CITY, town),
        (_STATE, found.state),
        (_POSTCODE, code),
        (_COUNTRY, found.country),
    )
    return {trait: value for trait, value in parts if value}


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
