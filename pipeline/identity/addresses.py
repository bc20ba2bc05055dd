"""Postal addresses: a line taken apart into number, street, unit, city, state and postcode, abbreviations made one.

Rules for the forms retail sees (US, UK, Canada, Australia, continental Europe), not a gazetteer: what is not
understood stays part of the street, where comparison still sees it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from pipeline.identity.text import ascii_of, clean, words

_SHORT = {
    "street": "st", "str": "st", "strasse": "st", "avenue": "ave", "av": "ave", "road": "rd", "drive": "dr",
    "lane": "ln", "court": "ct", "place": "pl", "boulevard": "blvd", "circuit": "cct", "crescent": "cres",
    "circle": "cir", "terrace": "ter", "terr": "ter", "highway": "hwy", "parkway": "pkwy", "square": "sq",
    "close": "cl", "grove": "gr", "parade": "pde", "trail": "trl", "way": "wy", "plaza": "plz", "mount": "mt",
    "fort": "ft", "saint": "st", "north": "n", "south": "s", "east": "e", "west": "w", "northeast": "ne",
    "northwest": "nw", "southeast": "se", "southwest": "sw", "first": "1st", "second": "2nd", "third": "3rd",
}  # fmt: skip
_STREET_TYPES = frozenset(
    [
        "st",
        "ave",
        "rd",
        "dr",
        "ln",
        "ct",
        "pl",
        "blvd",
        "cct",
        "cres",
        "cir",
        "ter",
        "hwy",
        "pkwy",
        "sq",
        "cl",
        "gr",
        "pde",
        "trl",
        "wy",
        "plz",
        "rise",
        "row",
        "walk",
        "mews",
        "alley",
    ]
)
_DIRECTIONS = frozenset(["n", "s", "e", "w", "ne", "nw", "se", "sw"])
_UNIT = re.compile(
    r"(?:\b(?:apt|apartment|appt|unit|suite|ste|flat|room|rm|floor|fl|level|shop|lot)\b\.?\s*#?|#)\s*([a-z]?\d[\w-]*|[a-z])\b"
)
_PO_BOX = re.compile(r"\bp\.?\s*o\.?\s*box\s*#?\s*(\w+)|\bpost(?:al)? (?:office )?box\s*(\w+)")
_NUMBER = re.compile(
    r"^(?:no\.?\s*|#)?(\d+[a-z]?(?:\s*[-/]\s*\d+[a-z]?)?)\b[\s,]*(?!st\b|nd\b|rd\b|th\b)(.*)$"
)
_NUMBER_BEHIND = re.compile(r"^(\D+?)\s+(\d+[a-z]?)$")
_POSTCODES = (
    re.compile(r"\b(\d{5})-?\d{4}\b"),
    re.compile(r"\b([a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2})\b"),
    re.compile(r"\b([a-z]\d[a-z] ?\d[a-z]\d)\b"),
    re.compile(r"\b(\d{4,6})\b"),
)
_STATES = {
    "alabama": "al", "alaska": "ak", "arizona": "az", "arkansas": "ar", "california": "ca", "colorado": "co",
    "connecticut": "ct", "delaware": "de", "florida": "fl", "georgia": "ga", "hawaii": "hi", "idaho": "id",
    "illinois": "il", "indiana": "in", "iowa": "ia", "kansas": "ks", "kentucky": "ky", "louisiana": "la",
    "maine": "me", "maryland": "md", "massachusetts": "ma", "michigan": "mi", "minnesota": "mn",
    "mississippi": "ms", "missouri": "mo", "montana": "mt", "nebraska": "ne", "nevada": "nv",
    "new hampshire": "nh", "new jersey": "nj", "new mexico": "nm", "new york": "ny", "north carolina": "nc",
    "north dakota": "nd", "ohio": "oh", "oklahoma": "ok", "oregon": "or", "pennsylvania": "pa",
    "rhode island": "ri", "south carolina": "sc", "south dakota": "sd", "tennessee": "tn", "texas": "tx",
    "utah": "ut", "vermont": "vt", "virginia": "va", "washington": "wa", "west virginia": "wv",
    "wisconsin": "wi", "wyoming": "wy", "new south wales": "nsw", "victoria": "vic", "queensland": "qld",
    "south australia": "sa", "western australia": "wa", "tasmania": "tas", "northern territory": "nt",
    "ontario": "on", "quebec": "qc", "british columbia": "bc", "alberta": "ab", "manitoba": "mb",
}  # fmt: skip
_STATE_CODES = frozenset(_STATES.values()) | {"dc", "act", "ns", "nb", "nl", "pe", "sk", "yt", "nu"}
_COUNTRIES = {
    "usa": "US", "united states": "US", "united states of america": "US", "america": "US", "uk": "GB",
    "united kingdom": "GB", "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "northern ireland": "GB", "gbr": "GB", "germany": "DE", "deutschland": "DE", "deu": "DE", "ger": "DE",
    "france": "FR", "fra": "FR", "italy": "IT", "italia": "IT", "ita": "IT", "spain": "ES", "espana": "ES",
    "esp": "ES", "canada": "CA", "can": "CA", "australia": "AU", "aus": "AU", "new zealand": "NZ", "nzl": "NZ",
    "ireland": "IE", "irl": "IE", "netherlands": "NL", "the netherlands": "NL", "nld": "NL", "belgium": "BE",
    "bel": "BE", "switzerland": "CH", "che": "CH", "austria": "AT", "aut": "AT", "india": "IN", "ind": "IN",
    "china": "CN", "chn": "CN", "japan": "JP", "jpn": "JP", "singapore": "SG", "sgp": "SG", "pakistan": "PK",
    "pak": "PK", "russia": "RU", "russian federation": "RU", "rus": "RU", "brazil": "BR", "brasil": "BR",
    "bra": "BR", "mexico": "MX", "mex": "MX", "portugal": "PT", "prt": "PT", "poland": "PL", "pol": "PL",
    "sweden": "SE", "swe": "SE", "norway": "NO", "nor": "NO", "denmark": "DK", "dnk": "DK", "finland": "FI",
    "fin": "FI", "eire": "IE", "south africa": "ZA", "zaf": "ZA", "hong kong": "HK", "hkg": "HK",
    "cambodia": "KH", "khm": "KH", "liechtenstein": "LI", "lichtenstein": "LI", "turkey": "TR", "tur": "TR",
    "indonesia": "ID", "idn": "ID", "malaysia": "MY", "mys": "MY", "philippines": "PH", "phl": "PH",
    "thailand": "TH", "tha": "TH", "vietnam": "VN", "vnm": "VN", "south korea": "KR", "korea": "KR",
    "kor": "KR", "israel": "IL", "isr": "IL", "united arab emirates": "AE", "uae": "AE", "are": "AE",
    "saudi arabia": "SA", "sau": "SA", "greece": "GR", "grc": "GR", "czechia": "CZ", "czech republic": "CZ",
    "cze": "CZ", "hungary": "HU", "hun": "HU", "romania": "RO", "rou": "RO", "ukraine": "UA", "ukr": "UA",
    "argentina": "AR", "arg": "AR", "chile": "CL", "chl": "CL", "colombia": "CO", "col": "CO", "peru": "PE",
    "per": "PE", "egypt": "EG", "egy": "EG", "nigeria": "NG", "nga": "NG", "kenya": "KE", "ken": "KE",
}  # fmt: skip


class Address(NamedTuple):
    """The canonical parts of an address; an empty string is a part not given."""

    number: str = ""
    street: str = ""
    unit: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""


_NOWHERE = Address()


@lru_cache(maxsize=4096)
def country(text: str) -> str:
    """The ISO 3166-1 alpha-2 code of a country's code or common name, or its canonical words where unknown."""
    cleaned = " ".join(words(text))
    if len(cleaned) == 2:
        return _COUNTRIES.get(cleaned, cleaned.upper())
    return _COUNTRIES.get(cleaned, cleaned)


@lru_cache(maxsize=16_384)
def state(text: str) -> str:
    """The usual code of a state, or its canonical words."""
    cleaned = " ".join(words(text))
    return _STATES.get(cleaned, cleaned)


@lru_cache(maxsize=16_384)
def city(text: str) -> str:
    """Canonical words of a city."""
    return " ".join(words(text))


@lru_cache(maxsize=16_384)
def postcode(text: str) -> str:
    """Upper case without spaces and dashes; a US ZIP+4 is cut to its five digits."""
    joined = "".join(words(text)).upper()
    return joined[:5] if len(joined) == 9 and joined.isdigit() else joined


@lru_cache(maxsize=16_384)
def street(text: str) -> str:
    """Canonical words of a street name, its kind and directions abbreviated."""
    cleaned = ascii_of(clean(text)).casefold()
    if box := _PO_BOX.search(cleaned):
        return f"po box {box[1] or box[2]}"
    return " ".join(_SHORT.get(w, w) for w in words(_parted(cleaned)))


def _parted(text: str) -> str:
    """`Hardenbergstrasse` as two words, as it is often written."""
    return re.sub(r"(?<=[a-z]{3})(strasse|str)\b\.?", r" \1", text)


@lru_cache(maxsize=16_384)
def street_line(text: str) -> Address:
    """Number, street and unit of one line such as `12a Main Street, Apt 4`."""
    rest = ascii_of(clean(text)).casefold()
    if box := _PO_BOX.search(rest):
        return Address(street=f"po box {box[1] or box[2]}")
    unit = ""
    if found := _UNIT.search(rest):
        unit = found[1]
        rest = f"{rest[: found.start()]} {rest[found.end() :]}".strip(" ,")
    number = ""
    if leading := _NUMBER.match(rest):
        number, rest = leading[1].replace(" ", ""), leading[2]
    elif trailing := _NUMBER_BEHIND.match(rest):
        rest, number = trailing[1], trailing[2]
    return Address(number=number, street=street(rest), unit=unit)


def _without_tail(text: str) -> tuple[str, str, str, str]:
    """What is left of an address line once country, postcode and state are taken off its end."""
    parts = [p.strip() for p in text.split(",") if p.strip()]
    nation = ""
    if len(parts) > 1 and " ".join(words(parts[-1])) in _COUNTRIES:
        nation = _COUNTRIES[" ".join(words(parts.pop()))]
    rest, code = ", ".join(parts), ""
    for form in _POSTCODES:
        found = None
        for candidate in form.finditer(rest):
            found = candidate if candidate.start() > 0 else found
        if found and (found.end() >= len(rest) - 24):
            code = postcode(found[1])
            rest = f"{rest[: found.start()]} {rest[found.end() :]}".strip(" ,")
            break
    tokens = rest.split()
    region = ""
    if len(tokens) > 2 and tokens[-1].strip(".,") in _STATE_CODES:
        region = tokens[-1].strip(".,")
        rest = " ".join(tokens[:-1]).strip(" ,")
    return rest, code, region, nation


@lru_cache(maxsize=16_384)
def whole(text: str) -> Address:
    """The parts of a whole address written as one text."""
    rest, code, region, nation = _without_tail(ascii_of(clean(text)).casefold())
    parts = [p.strip() for p in rest.split(",") if p.strip()]
    lines = [i for i, p in enumerate(parts) if any(c.isdigit() for c in p) and not _is_unit_only(p)]
    at = lines[0] if lines else 0
    line = parts[at] if parts else ""
    town = next((p for p in parts[at + 1 :] if not _is_unit_only(p)), "")
    if not town:
        line, town = _street_and_city(line)
    found = street_line(line)
    unit = found.unit or next((street_line(p).unit for p in parts if _is_unit_only(p)), "")
    return Address(found.number, found.street, unit, city(town), region, code, nation)


def _is_unit_only(part: str) -> bool:
    return bool(_UNIT.search(part)) and not _UNIT.sub("", part).strip(" ,.")


def _street_and_city(line: str) -> tuple[str, str]:
    """Part `445 overpass rd san ramon` behind the street's kind (and its direction, if one follows)."""
    tokens = line.split()
    for at, token in enumerate(tokens):
        if at >= 2 and _SHORT.get(token.strip("."), token.strip(".")) in _STREET_TYPES:
            end = at + 1
            if end < len(tokens) and tokens[end] in _DIRECTIONS:
                end += 1
            rest = " ".join(tokens[end:])
            return (line, "") if _UNIT.match(rest) else (" ".join(tokens[:end]), rest)
    return line, ""


def of_traits(traits: Mapping[str, str]) -> Address:
    """The address of an event's traits: the separate parts first, what is missing from the whole line."""
    line = whole(traits["address"]) if "address" in traits else _NOWHERE
    named = street_line(traits["street"]) if "street" in traits else _NOWHERE
    own_number = "".join(words(traits["street_number"])) if "street_number" in traits else ""
    own_unit = "".join(words(traits["unit"])) if "unit" in traits else ""
    lone_number = not named.street and "street_number" in traits
    return Address(
        number=own_number or named.number or line.number,
        street=named.street or ("" if lone_number and not line.street else line.street),
        unit=own_unit or named.unit or line.unit,
        city=city(traits["city"]) if "city" in traits else line.city,
        state=state(traits["state"]) if "state" in traits else line.state,
        postcode=postcode(traits["postcode"]) if "postcode" in traits else line.postcode,
        country=country(traits["country"]) if "country" in traits else line.country,
    )
