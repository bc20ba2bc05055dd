"""Names of people: titles away, generations apart, full names split, particles kept with the surname.

What cannot be told from a name alone (two surnames or a middle name, which of two words is the given name) is left
for comparison, which knows names the wrong way round and names in part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.identity.name_words import (
    BORN,
    JOINED_PARTICLES,
    NAMELIKE_SUFFIXES,
    NAMELIKE_TITLES,
    PARTICLES,
    REMARKS,
    SPELT_TITLES_BEHIND,
    SUFFIXES,
    TITLE_JOINERS,
    TITLES,
    TITLES_BEHIND,
)
from pipeline.identity.text import clean, vocabulary, words

_APART = re.compile(r"[().\"“”„«»\[\]]|(?:^|\s)['‘]")
"""What makes a name more than words between spaces."""

_ASIDE = re.compile(
    r"\(([^()]*)\)|\[([^\[\]]*)\]|[\"“”„]([^\"“”„]*)[\"“”]|«([^«»]*)»|(?:^|(?<=\s))['‘]([^'‘’]+)['’](?=\s|$)"
)
_CAPITALS = re.compile(r"[^\W\d_]{3,}(?:-[^\W\d_]+)*")

_HAN, _HANGUL, _KANA = ("\u3400", "\u9fff"), ("\uac00", "\ud7af"), ("\u3040", "\u30ff")
_SYLLABLES = range(2, 5)
_COMPOUND = vocabulary("""
    欧阳 歐陽 司马 司馬 上官 诸葛 諸葛 夏侯 东方 東方 皇甫 尉迟 公孙 公孫 慕容 令狐
    司徒 长孙 端木 宇文 남궁 황보 제갈 사공 선우 독고
""")
"""Family names of two characters in China and Korea."""

_KOREAN = {
    "김": "kim", "이": "lee", "박": "park", "최": "choi", "정": "jung", "강": "kang", "조": "cho", "윤": "yoon",
    "장": "jang", "임": "lim", "오": "oh", "신": "shin", "유": "yoo", "우": "woo", "문": "moon",
    "구": "koo", "주": "joo",
}  # fmt: skip
"""Family names as Koreans write them in Latin letters, where that is not the transliteration."""


class NameParts(NamedTuple):
    """The canonical parts of a name; an empty string is a part not given."""

    first: str = ""
    middle: str = ""
    last: str = ""
    suffix: str = ""


@lru_cache(maxsize=32_768)
def given_name(text: str) -> NameParts:
    """A given name: `Robert J. (Bob)` is Robert with the middle names J and Bob; a surname is none of it."""
    if len(found := words(text)) == 1:
        return NameParts(found[0])
    units, aside = _units(text)
    units, suffix = _without_titles(units)
    initials: list[str] = []
    while len(units) > 1 and _is_initials(units[-1]):
        initials.insert(0, units.pop())
        units, before = _without_titles(units)
        suffix = suffix or before
    first, middle = _initials_apart(" ".join(units), " ".join([*initials, *aside]))
    return NameParts(first, middle, "", suffix)


@lru_cache(maxsize=16_384)
def middle_name(text: str) -> NameParts:
    """Middle names; titles are names here, a generation behind them is none."""
    units, aside = _units(text)
    units += aside
    end, suffix = len(units), ""
    while end > 1 and units[end - 1] in SUFFIXES and units[end - 1] != "i":
        end -= 1
        suffix = SUFFIXES[units[end]]
    return NameParts("", " ".join(units[:end]), "", suffix)


@lru_cache(maxsize=32_768)
def family_name(text: str) -> NameParts:
    """A surname, its particles written one way; the name somebody was born with (`née Jones`) is a middle name."""
    if len(found := words(text)) == 1:
        return NameParts(last=_KOREAN.get(text) or found[0])
    units, aside = _units(text)
    units, suffix = _without_titles(units)
    return NameParts("", " ".join(aside), _joined(units), suffix)


@lru_cache(maxsize=4096)
def suffix_of(text: str) -> str:
    """The canonical generation, or an empty string where the text is none."""
    found = words(text)
    return SUFFIXES.get(found[-1]) or NAMELIKE_SUFFIXES.get(found[-1], "") if found else ""


@lru_cache(maxsize=32_768)
def full_name(text: str, two_surnames: bool = False) -> NameParts:
    """The parts of a name: `First Middle Last`, `Last, First Middle`, `LAST First`, in East Asia family name first.

    `two_surnames`: a country where a full name ends in two of them.
    """
    cleaned = clean(text)
    if "\u3040" <= cleaned[:1] <= "\ud7af" and (found := _east_asian(cleaned)):
        return found
    if "," in cleaned:
        return _with_commas(cleaned, two_surnames)
    return _in_order(cleaned, two_surnames)


def _units(text: str) -> tuple[list[str], list[str]]:
    """The words of a name, what a hyphen joins as one; and apart the names in brackets, in quotes or behind a `née`."""
    found = words(text)
    if len(found) < 2:
        return list(found), []
    aside: list[str] = []
    if _APART.search(text):
        for match in _ASIDE.finditer(text):
            inner = words(next((group for group in match.groups() if group), ""))
            inner = inner[1:] if inner and inner[0] in BORN else inner
            if len(inner) == 1 and inner[0] not in REMARKS and not inner[0].isdigit():
                aside += inner
        text = _ASIDE.sub(" ", text).replace(".", ". ") or text
        units = [" ".join(w) for part in text.split() if (w := words(part))]
        if not units:  # there is nothing else
            units, aside = list(found), []
    else:
        units = [" ".join(w) for part in text.split() if (w := words(part))] if "-" in text else list(found)
    for at in range(1, len(units)):
        if units[at] in BORN and (aside or at < len(units) - 1):
            return units[:at], [*aside, *(u for u in units[at + 1 :] if u not in BORN)]
    return units, aside


def _without_titles(units: list[str], namelike: int = 1) -> tuple[list[str], str]:
    """Words without titles, and the generation if one is told. A name that is nothing but a title stays as it is.

    `namelike`: how many words must stand before a generation that is a surname as well.
    """
    start, end, suffix = 0, len(units), ""
    while end - start > 1:
        word = units[start]
        if word not in TITLES and not (
            word in NAMELIKE_TITLES and len(" ".join(units[start:end]).split()) > 2
        ):
            break
        start += 1
        while end - start > 1 and units[start] in TITLE_JOINERS:
            start += 1
    while end - start > 1:
        word = units[end - 1]
        if word in SUFFIXES:
            suffix = SUFFIXES[word]
        elif word in NAMELIKE_SUFFIXES and end - start > namelike:
            suffix = NAMELIKE_SUFFIXES[word]
        elif word not in TITLES_BEHIND:
            break
        end -= 1
    return units[start:end], suffix


def _joined(units: Sequence[str]) -> str:
    """A surname as it is compared: O Hare as ohare, Ortega y Gasset as ortega gasset, Saint as st."""
    if len(units) == 1 and " " not in units[0]:
        return units[0]
    found: list[str] = []
    parts = " ".join(units).split()
    for at, part in enumerate(parts):
        if found and found[-1] in JOINED_PARTICLES:
            found[-1] += part
        elif part == "y" and 0 < at < len(parts) - 1:
            continue
        else:
            found.append("st" if part == "saint" and at < len(parts) - 1 else part)
    return " ".join(found)


def _in_order(text: str, two_surnames: bool) -> NameParts:
    units, aside = _units(text)
    for spelt in (tuple(units[-3:]), tuple(units[-2:])):
        if spelt in SPELT_TITLES_BEHIND and len(units) - len(spelt) > 1:
            units = units[: -len(spelt)]
    units, suffix = _without_titles(units, 2)
    if len(units) < 2:
        last = family_name(" ".join(units))
        return NameParts("", " ".join([*aside, *last.middle.split()]), last.last, suffix or last.suffix)
    leading = _leading_surname(text, units)
    if leading:
        given, family = units[leading:], units[:leading]
    else:
        start = _family_start(units, two_surnames)
        given, family = units[:start], units[start:]
    return _parts(given, family, aside, suffix)


def _parts(given: Sequence[str], family: Sequence[str], aside: Sequence[str], suffix: str) -> NameParts:
    """The parts as they are where they are given apart."""
    first, last = given_name(given[0]), family_name(" ".join(family))
    middle = middle_name(" ".join(w for w in (first.middle, *given[1:], *aside) if w))
    return NameParts(
        first.first, middle.middle, last.last, suffix or last.suffix or first.suffix or middle.suffix
    )


def _initials_apart(first: str, middle: str) -> tuple[str, str]:
    """`J.R.` is a given name and a middle name; JR may be a name of its own."""
    if " " not in first or not _is_initials(first):
        return first, middle
    first, _, behind = first.partition(" ")
    return first, f"{behind} {middle}".strip()


def _is_initials(unit: str) -> bool:
    return all(len(word) == 1 for word in unit.split())


def _family_start(units: Sequence[str], two_surnames: bool) -> int:
    """Where the surname begins: the last word and the particles before it, leaving at least one given name."""
    start = len(units) - 1
    if start > 2 and units[start - 1] == "y":
        start -= 2
    elif two_surnames and start > 1:
        start = _before_particles(units, start) - 1
    return _before_particles(units, start) if start > 0 else len(units) - 1


def _before_particles(units: Sequence[str], start: int) -> int:
    while start > 1 and units[start - 1] in PARTICLES:
        start -= 1
    return start


def _leading_surname(text: str, units: Sequence[str]) -> int:
    """How many words at the front are a surname: those in capitals, where others are not (`DUPONT Jean`)."""
    if text.isupper() or text.istitle() or text.islower():
        return 0
    raw = [part for part in text.split() if words(part)]
    while raw and words(raw[0])[0] in TITLES:
        raw.pop(0)
    count = 0
    while count < len(raw) and raw[count].isupper() and _CAPITALS.fullmatch(raw[count]):
        count += 1
    if (
        not 0 < count < len(raw)
        or count >= len(units)
        or any(part.isupper() for part in raw[count:] if len(part) > 2)
    ):
        return 0
    return count


def _with_commas(text: str, two_surnames: bool) -> NameParts:
    """`Last, First Middle`; what is a title or a generation alone belongs to neither (`John Smith, Jr., PhD`)."""
    parts: list[str] = []
    suffix = ""
    for part in text.split(","):
        found = words(part)
        if not found:
            continue
        if parts and (
            all(w in SUFFIXES or w in TITLES_BEHIND for w in found) or found in SPELT_TITLES_BEHIND
        ):
            suffix = next((SUFFIXES[w] for w in found if w in SUFFIXES), suffix)
        else:
            parts.append(part.strip())
    if len(parts) < 2:
        whole = _in_order(parts[0] if parts else text.replace(",", " "), two_surnames)
        return whole._replace(suffix=suffix or whole.suffix)
    family = family_name(parts[0])
    units, aside = _units(" ".join(parts[1:]))
    units, own = _without_titles(units)
    return _parts(units, (family.last,), [*aside, *family.middle.split()], suffix or family.suffix or own)


def _east_asian(text: str) -> NameParts | None:
    """Family name first, in Han, Hangul or Kana; None where the order cannot be told."""
    if "・" in text:  # a foreign name in Katakana keeps its own order
        return _in_order(text.replace("・", " "), False)
    parts = text.split()
    if not all(_is_east_asian(c) for part in parts for c in part):
        return None
    if len(parts) == 1:
        length = len(text)
        if length not in _SYLLABLES or _is_in(text[0], _KANA):
            return None
        family = 2 if text[:2] in _COMPOUND or (length == 4 and not _is_in(text[0], _HANGUL)) else 1
        parts = [text[:family], text[family:]] if family < length else [text[:1], text[1:]]
    if len(parts) != 2:
        return None
    last = _KOREAN.get(parts[0]) or "".join(words(parts[0]))
    return NameParts(first="".join(words(parts[1])), last=last)


def _is_east_asian(letter: str) -> bool:
    return _is_in(letter, _HAN) or _is_in(letter, _HANGUL) or _is_in(letter, _KANA)


def _is_in(letter: str, script: tuple[str, str]) -> bool:
    return script[0] <= letter <= script[1]
