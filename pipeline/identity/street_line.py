"""One line of an address, as words, taken apart into house number, street and unit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.identity.address_words import (
    BEHIND_NUMBER,
    BOXES,
    FLOORS,
    KINDS_BEFORE,
    NUMBER_WORDS,
    RURAL,
    SHORT,
    SIDES,
    STOREYS,
    STREET_KINDS,
    UNITS,
    WHOLE_UNITS,
)
from pipeline.identity.text import ascii_of

_TOKEN = re.compile(r"#|[a-z0-9]+(?:[/-][a-z0-9]+)*")
_APOSTROPHES = re.compile(r"['`]")
_STREET_JOINED = re.compile(r"(?<=[a-z]{3})(strasse|straat|str)\b")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th|e|er|eme)")
_SPANISH_FLOOR = re.compile(r"(\d{1,2})[oa]")
_UNIT_AND_NUMBER = re.compile(r"(\d+[a-z]?)/(\d+[a-z]?)")
_PREFIXED_CODE = re.compile(r"(?:a|b|ch|cz|d|dk|e|f|fi|fl|gr|h|hr|i|l|lt|lv|n|nl|p|pl|ro|s|sk|si)-\d{4,6}")
TELLING = UNITS | FLOORS | WHOLE_UNITS | BOXES.keys() | RURAL | {"#", "box"}
"""Where none of these words is, a line is nothing but a number and a street."""

_KINDS = KINDS_BEFORE | STREET_KINDS
_LONGEST_NUMBER, _LONGEST_FLOOR = 12, 4

Words = Sequence[str]


def lowered(text: str) -> str:
    """A cleaned text in the letters that `tokens` reads."""
    found = ascii_of(text)
    if "'" in found or "`" in found:
        found = _APOSTROPHES.sub("", found)
    return _STREET_JOINED.sub(r" \1", found) if "str" in found else found


def tokens(line: str) -> list[str]:
    """The words of a lowered line; what a dash or a slash joins stays one where it is a number (`12-14`, `4/12`)."""
    if "-" not in line and "/" not in line:
        return _TOKEN.findall(line)
    found: list[str] = []
    for token in _TOKEN.findall(line):
        if ("-" in token or "/" in token) and not token[0].isdigit() and not _PREFIXED_CODE.fullmatch(token):
            found += re.split("[/-]", token)
        else:
            found.append(token)
    return found


def is_number(token: str) -> bool:
    """A house number or the like: 12, 12a, 12-14, 4/12; not 1st."""
    return (
        token[0].isdigit()
        and len(token) <= _LONGEST_NUMBER
        and (token.isdigit() or not _ORDINAL.fullmatch(token))
    )


def taken_apart(line: Words, number: str = "") -> tuple[str, str, str]:
    """Number, street and unit of a line. Where the number is known, no other is looked for."""
    words = [SHORT.get(token, token) for token in line]
    while words and words[-1] == "#":
        words.pop()
    unit = ""
    if not TELLING.isdisjoint(words):
        if box := box_of(words):
            return number, f"po box {box}", ""
        if words[0] in RURAL and "box" in words[2:5]:
            return number, " ".join(w for w in words if w != "#"), ""
        words, unit = without_unit(words)
        words = [w for w in words if w != "#"]
    if not number:
        number, words, beside = _numbered(words)
        unit = unit or plain_unit(beside)
    while len(words) > 1 and words[0] == number:
        words = words[1:]
    if not TELLING.isdisjoint(words):  # what came to stand side by side
        if box := box_of(words):
            return number, f"po box {box}", unit
        words, beside = without_unit(words)
        unit = unit or beside
    return number, " ".join(words), unit


def box_of(words: Words) -> str:
    """The number of a post office box, or an empty string."""
    for at, word in enumerate(words):
        behind = BOXES.get(word)
        if behind is None or tuple(words[at + 1 : at + 1 + len(behind)]) != behind:
            continue
        rest = [w for w in words[at + 1 + len(behind) :] if w not in NUMBER_WORDS and w != "#"]
        digits = next((n for n, w in enumerate(rest) if not w.isdigit()), len(rest))
        if digits or (rest and (behind or any(c.isdigit() for c in rest[0]))):
            return "".join(rest[:digits]) or rest[0]
    return words[1] if len(words) == 2 and words[0] == "box" and words[1][0].isdigit() else ""


def without_unit(words: Words) -> tuple[list[str], str]:
    """A line without what tells homes of one house apart, and that: the door, or the floor where no door is told."""
    rest, door, floor = list(words), "", ""
    while found := _unit_at(rest):
        start, end, value, is_floor, back = found
        rest[start:end] = back
        if is_floor:
            floor = floor or value
        else:
            door = door or value
    return rest, plain_unit(f"{floor}{door}" if len(door) == 1 and door.isalpha() else door or floor)


def plain_unit(unit: str) -> str:
    """A unit without marks; 2º is 2."""
    found = unit.replace("-", "").replace("/", "")
    return found[:-1] if found.endswith("o") and found[:-1].isdigit() else found


def _unit_at(words: Words) -> tuple[int, int, str, bool, list[str]] | None:
    """The first unit in a line: from where to where, what it says, whether it is a floor, what of it is no unit."""
    for at, word in enumerate(words):
        if word in UNITS or (word == "#" and at > 0):
            end = _value_at(words, at + 1)
            value = words[end] if end < len(words) else ""
            if value and (any(c.isdigit() for c in value) or (len(value) == 1 and word != "#")):
                both = _UNIT_AND_NUMBER.fullmatch(value)
                if both and not any(is_number(w) for w in words[end + 1 :]):
                    return at, end + 1, both[1], False, [both[2]]
                return at, end + 1, value, False, []
        elif word in FLOORS:
            end = _value_at(words, at + 1)
            if end < len(words) and words[end][0].isdigit() and len(words[end]) <= _LONGEST_FLOOR:
                return at, end + 1, _digits(words[end]), True, []
            lone = word in STOREYS and len(words) == 2
            if at > 0 and (
                _ORDINAL.fullmatch(words[at - 1]) or ((at > 1 or lone) and words[at - 1].isdigit())
            ):
                return at - 1, at + 1, _digits(words[at - 1]), True, []
        elif word in WHOLE_UNITS and (
            at > 1 or all(w[0].isdigit() or len(w) == 1 for w in words if w != word)
        ):
            return at, at + 1, "ph" if word == "penthouse" else word, False, []
    return None


def _value_at(words: Words, at: int) -> int:
    while at < len(words) and (words[at] == "#" or words[at] in NUMBER_WORDS):
        at += 1
    return at


def _digits(word: str) -> str:
    ordinal = _ORDINAL.fullmatch(word) or _SPANISH_FLOOR.fullmatch(word)
    return ordinal[1] if ordinal else word


def unit_alone(words: Words) -> str | None:
    """The unit that is all a line says (`Apt 4`, `2º B`, `Penthouse Suite`), or None where it says more."""
    if not words:
        return None
    if TELLING.isdisjoint(words) and not words[0][0].isdigit():
        return None
    while len(words) > 1 and words[-1] == "#":
        words = words[:-1]
    floor = _SPANISH_FLOOR.fullmatch(words[0])
    if (
        floor
        and len(words) <= 2
        and (words[0][-1] == "o" if len(words) == 1 else len(words[1]) == 1 or words[1] in SIDES)
    ):
        return floor[1] + (words[1][0] if len(words) == 2 else "")
    rest, unit = without_unit([SHORT.get(w, w) for w in words])
    if not unit and len(words) == 2 and words[0] == "#" != words[1]:
        return plain_unit(words[1]) if not words[1].isdigit() else None
    if any(w not in UNITS and w not in FLOORS and w not in WHOLE_UNITS and w != "#" for w in rest):
        return None
    return unit or next(("ph" if w == "penthouse" else w for w in rest if w in WHOLE_UNITS), None)


def _numbered(words: list[str]) -> tuple[str, list[str], str]:
    """House number, street and a unit beside the number; the number stands in front, behind or between."""
    if len(words) > 1 and words[0] in NUMBER_WORDS and is_number(words[1]):
        words = words[1:]
    if not words:
        return "", words, ""
    if is_number(words[0]):
        return _leading(words)
    start = len(words)
    while start > 1 and (is_number(words[start - 1]) or (start == len(words) and len(words[start - 1]) == 1)):
        start -= 1
    if start == 1 and words[0] in _KINDS:  # Street 128, Calle 13: a name
        start = 2
    if start < len(words) and is_number(words[start]):
        street = words[: start - 1] if start > 1 and words[start - 1] in NUMBER_WORDS else words[:start]
        return _trailing(street, words[start:])
    return _between(words)


def _leading(words: list[str]) -> tuple[str, list[str], str]:
    number, rest = words[0], words[1:]
    if len(rest) > 1 and (rest[0] in BEHIND_NUMBER or len(rest[0]) == 1) and rest[1] in KINDS_BEFORE:
        number, rest = number + rest[0], rest[1:]
    elif len(rest) > 1 and rest[0] == "1/2":
        number, rest = f"{number}-1/2", rest[1:]
    both = _UNIT_AND_NUMBER.fullmatch(number)
    return (both[2], rest, both[1]) if both else (number, rest, "")


def _trailing(street: list[str], numbers: list[str]) -> tuple[str, list[str], str]:
    number, *others = numbers
    if others and len(others[0]) == 1 and others[0].isalpha():
        number += others.pop(0)
    if "/" in number:
        number, _, unit = number.partition("/")
        others.insert(0, unit)
    return number, street, "".join(others)


def _between(words: list[str]) -> tuple[str, list[str], str]:
    """`Adventura Apartments 638 Downey St`; `Rua Augusta 1500 fundos`."""
    at = next((n for n in range(1, len(words) - 1) if is_number(words[n])), 0)
    if not at:
        return "", words, ""
    before, behind = words[:at], words[at + 1 :]
    if words[0] in KINDS_BEFORE or before[-1] in KINDS_BEFORE:
        number, _, unit = words[at].partition("/")
        return number, [*before, *behind], unit
    if not STREET_KINDS.isdisjoint(behind[1:]) and not any(w in STREET_KINDS for w in before):
        return _leading(words[at:])
    return "", words, ""
