"""An address written as one text, taken apart into number, street, unit, city, state, postcode and country.

Rules for the forms retail sees (North America, Britain, Australia, continental Europe, Latin America, India), not a
gazetteer: what is not understood stays part of the street, where comparison still sees it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from pipeline.identity.address_words import (
    BEHIND_NUMBER,
    BRAZILIAN_STATES,
    CARE_OF,
    DIRECTIONS,
    NUMBER_WORDS,
    SHORT,
    STATE_CODES,
    STATES,
    STREET_KINDS,
    TOWNS_TOO,
    UNITS,
)
from pipeline.identity.countries import COUNTRIES
from pipeline.identity.place_names import COUNTRY_PREFIX, city, postcode
from pipeline.identity.street_line import (
    TELLING,
    box_of,
    is_number,
    lowered,
    taken_apart,
    tokens,
    unit_alone,
    without_unit,
)
from pipeline.identity.text import clean, vocabulary

_PARTS = re.compile(r"[,;|()]| - ")
_SHORTHAND = (
    (re.compile(r"\bc/o\b"), "careof "),
    (re.compile(r"\bs/n\b"), " "),
    (re.compile(r"\bc/"), "calle "),
)

_PLAIN = re.compile(r"([0-9]{1,6}[a-zA-Z]?) ([a-zA-Z]+(?: [a-zA-Z]+){1,3})")
_JOINED_CODE = re.compile(
    r"[a-z]{1,2}\d[a-z\d]?\d[a-z]{2}|[a-z]\d[a-z]\d[a-z]\d|\d{9}|\d{4}[a-z]{2}"
    r"|\d{5}-\d{3,4}|\d{4}-\d{3}|\d{3}-\d{4}|\d{2}-\d{3}"
)
_OUTWARD, _INWARD = re.compile(r"[a-z]{1,2}\d[a-z\d]?"), re.compile(r"\d[a-z]{2}")
_CANADIAN = re.compile(r"[a-z]\d[a-z]"), re.compile(r"\d[a-z]\d")
_BEFORE_A_NUMBER = (
    vocabulary("hwy highway rte route road rd box km street ctra carretera cr fm sr") | UNITS | NUMBER_WORDS
)

Parts = list[list[str]]
"""The words between the commas of an address."""


class Address(NamedTuple):
    """The canonical parts of an address; an empty string is a part not given."""

    number: str = ""
    street: str = ""
    unit: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""


def split(text: str) -> Parts:
    """The words of each part of an address."""
    line = lowered(clean(text))
    if "/" in line:
        for form, plain in _SHORTHAND:
            line = form.sub(plain, line)
    return [found for part in _PARTS.split(line) if (found := tokens(part))]


@lru_cache(maxsize=16_384)
def whole(text: str) -> Address:
    """The parts of a whole address written as one text."""
    plain = _PLAIN.fullmatch(text)
    if plain and (found := _plain_line(plain[1], plain[2].casefold().split())):
        return found
    parts = _without_care_of(split(text))
    nation = _take_country(parts)
    code, town = _take_postcode(parts, nation)
    nation = nation or _take_country(parts)
    region = _take_state(parts, code, nation)
    _join_lone_numbers(parts)
    units = [unit_alone(part) for part in parts]
    at = _street_at(parts, units)
    behind = [n for n in range(at + 1, len(parts)) if units[n] is None]
    if not town and behind:
        town = parts[behind[-1] if region else behind[0]]
    line = parts[at] if parts else []
    if not town:
        line, town = _street_and_city(line)
    number, street, unit = taken_apart(line)
    unit = unit or _unit_of([part for n, part in enumerate(parts) if units[n] and n != at])
    return Address(number, street, unit, city(" ".join(town)), region, code, nation)


def _plain_line(number: str, street: list[str]) -> Address | None:
    """A number, a street and its kind, and nothing else: short work."""
    line = [SHORT.get(word, word) for word in street]
    if (
        line[-1] not in STREET_KINDS
        or not STREET_KINDS.isdisjoint(line[1:-1])
        or not TELLING.isdisjoint(line)
    ):
        return None
    return Address(number.casefold(), " ".join(line))


def _unit_of(parts: Parts) -> str:
    """The unit that parts without a street say together."""
    together = without_unit([SHORT.get(w, w) for part in parts for w in part])[1] if len(parts) > 1 else ""
    return together or next((unit for part in parts if (unit := unit_alone(part))), "")


def _without_care_of(parts: Parts) -> Parts:
    """Without the person or firm that takes the post in."""
    kept: Parts = []
    for part in parts:
        start = 0
        if part[0] in CARE_OF:
            start = next((n for n, word in enumerate(part) if is_number(word)), len(part))
        if part[start:]:
            kept.append(part[start:])
    return kept


def _take_country(parts: Parts) -> str:
    """The country at the end, if one stands there, taken off."""
    if len(parts) > 1 and (found := _as_country(parts[-1], alone=len(parts) == 2)):
        parts.pop()
        return found
    last = parts[-1] if parts else []
    for count in (3, 2, 1):
        if len(last) > count + 1 and (found := _as_country(last[-count:], alone=True)):
            ahead = last[-count - 1 - (4 if count == 1 else 1) : -count]
            if (
                count > 1
                or any(len(w) >= 4 and any(c.isdigit() for c in w) for w in ahead)
                or ahead[-1] in STATE_CODES
            ):
                del last[-count:]
                return found
    return ""


def _as_country(name: list[str], *, alone: bool) -> str:
    spelt = " ".join(name)
    if (
        spelt in STATES
        or (len(spelt) < 4 and spelt not in ("usa", "uk", "uae"))
        or (alone and spelt in TOWNS_TOO)
    ):
        return ""
    return COUNTRIES.get(spelt, "")


def _take_postcode(parts: Parts, nation: str) -> tuple[str, list[str] | None]:
    """The postcode, taken out, and the city where the postcode tells which words it is (`10115 Berlin`)."""
    for find in (_joined_code, _code_of_two_words, _digits_alone):
        for at in range(len(parts) - 1, -1, -1):
            part = parts[at]
            for n in range(len(part) - 1, -1 if at > 0 else 0, -1):
                length = find(parts, at, n, nation)
                if length:
                    code = "".join(part[n : n + length])
                    return postcode(code), _take_out(parts, at, n, length)
    return "", None


def _joined_code(parts: Parts, at: int, n: int, nation: str) -> int:
    word = parts[at][n]
    if COUNTRY_PREFIX.match(word) and "-" in word:
        return 1
    form = _JOINED_CODE.fullmatch(word)
    # a dash may join two house numbers as well
    leads = n == 0 and at > 0 and len(parts[at]) > 1
    return 1 if form and ("-" not in word or word.index("-") > 2 or leads) else 0


def _code_of_two_words(parts: Parts, at: int, n: int, nation: str) -> int:
    part = parts[at]
    if n + 1 >= len(part):
        return 0
    one, other = part[n], part[n + 1]
    if _INWARD.fullmatch(other) and _OUTWARD.fullmatch(one):
        return 2
    if _CANADIAN[0].fullmatch(one) and _CANADIAN[1].fullmatch(other):
        return 2
    if len(one) == 4 and one.isdigit() and len(other) == 2 and other.isalpha():  # 1071 WA Amsterdam
        return (
            2
            if nation == "NL" or (len(part) > n + 2 and other not in DIRECTIONS and (n == 0 or at == 0))
            else 0
        )
    if len(one) == 3 and one.isdigit() and other.isdigit():  # 123 45 Stockholm; Mumbai 400 001
        ends = n + 2 == len(part) and len(other) == 3 and n > 0
        return 2 if ends or (len(other) == 2 and n == 0 and at > 0 and len(part) > 2) else 0
    return 0


def _digits_alone(parts: Parts, at: int, n: int, nation: str) -> int:
    part, word = parts[at], parts[at][n]
    if not word.isdigit() or not 4 <= len(word) <= 6 or (n > 0 and part[n - 1] in _BEFORE_A_NUMBER):
        return 0
    street_is_before = any(is_number(w) for p in parts[:at] for w in p) or any(is_number(w) for w in part[:n])
    if len(word) > 4 and nation != "BR":
        return 1
    return 1 if street_is_before or (at > 0 and n == 0 and len(part) > 1) else 0


def _take_out(parts: Parts, at: int, n: int, length: int) -> list[str] | None:
    """Take words out of a part; what stood behind them behind a street is a part of its own: the city."""
    before, behind = parts[at][:n], parts[at][n + length :]
    if not before or not behind:
        parts[at] = before or behind
        if not parts[at]:
            del parts[at]
        told = behind or (before if length == 1 else None)
        return told if at > 0 and not any(is_number(w) for w in told or ()) else None
    parts[at : at + 1] = [before, behind]
    return behind


def _take_state(parts: Parts, code: str, nation: str) -> str:
    """The state at the end, taken off."""
    if not parts or len(parts[-1]) + len(parts) < 3:
        return ""
    last = parts[-1]
    is_brazilian = nation == "BR" or (len(code) == 8 and code.isdigit())
    if (last[-1] in (BRAZILIAN_STATES if is_brazilian else STATE_CODES)) and (
        len(parts) > 1 or len(last) > 3
    ):
        return _take_end(parts, 1)
    if nation == "IT" and len(last) > 1 and len(last[-1]) == 2 and last[-1].isalpha():
        return _take_end(parts, 1)
    for count in (3, 2, 1):
        found = STATES.get(" ".join(last[-count:])) if len(last) >= count else None
        if found and (len(parts) > 2 if len(last) == count else (code or len(parts) > 1)):
            street = any(is_number(w) for w in parts[-2]) if len(last) == count else False
            if not street:
                _take_end(parts, count)
                return found
    return ""


def _take_end(parts: Parts, count: int) -> str:
    taken = " ".join(parts[-1][-count:])
    del parts[-1][-count:]
    if not parts[-1]:
        parts.pop()
    return taken


def _join_lone_numbers(parts: Parts) -> None:
    """`12, High Street` and `Via Roma, 12`: a number between commas belongs to the street beside it."""
    for at in range(len(parts) - 1, -1, -1):
        bare = [w for w in parts[at] if w not in NUMBER_WORDS and w != "#"]
        if len(bare) == 2 and bare[1] in BEHIND_NUMBER:
            bare = ["".join(bare)]
        if len(bare) != 1 or not is_number(bare[0]) or len(parts) < 2 or unit_alone(parts[at]) is not None:
            continue
        follows = at + 1 < len(parts) and not is_number(parts[at + 1][0])
        if at > 0 and not any(is_number(w) for w in parts[at - 1]):
            parts[at - 1 : at + 1] = [[*parts[at - 1], *bare]]
        elif follows and (at == 0 or _has_kind(parts[at + 1])):
            parts[at : at + 2] = [[*bare, *parts[at + 1]]]


def _has_kind(part: list[str]) -> bool:
    return len(part) > 1 and SHORT.get(part[-1], part[-1]) in STREET_KINDS


def _street_at(parts: Parts, units: list[str | None]) -> int:
    """Which part is the street: the first with a number, rather no box; else the first with a street's kind."""
    numbered = [n for n, p in enumerate(parts) if units[n] is None and any(w[0].isdigit() for w in p)]
    streets = [n for n in numbered if not box_of(parts[n])]
    if streets or numbered:
        return (streets or numbered)[0]
    return next((n for n, part in enumerate(parts) if _has_kind(part)), 0)


def _street_and_city(line: list[str]) -> tuple[list[str], list[str]]:
    """Part `445 overpass rd san ramon` behind the street's kind (and its direction, if one follows)."""
    rest, unit = without_unit([SHORT.get(w, w) for w in line])
    if len(rest) < 3:
        return line, []
    least = 2 if is_number(rest[0]) else 1
    for at, word in enumerate(rest):
        if word not in STREET_KINDS:
            continue
        end = at + 1
        if end < len(rest) and is_number(rest[end]) and at < 2:
            end += 1
        elif at < least:
            continue
        elif end < len(rest) and rest[end] in DIRECTIONS:
            end += 1
        if end < len(rest) and not any(is_number(w) for w in rest[end:]):
            return [*rest[:end], *(("unit", unit) if unit else ())], rest[end:]
        return line, []
    return line, []
