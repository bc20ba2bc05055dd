"""Names of people: honorifics away, suffixes apart, full names split, particles kept with the surname."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pipeline.identity.text import ascii_of, clean, words

_HONORIFICS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "miss",
        "mx",
        "dr",
        "prof",
        "professor",
        "sir",
        "madam",
        "dame",
        "lord",
        "lady",
        "rev",
        "reverend",
        "hon",
        "herr",
        "frau",
        "monsieur",
        "madame",
        "mme",
        "mlle",
        "senor",
        "senora",
        "sr_",
        "dra",
        "don",
        "dona",
        "capt",
        "col",
        "lt",
        "sgt",
        "maj",
        "gen",
    ]
)
_SUFFIXES = {
    "jr": "jr", "junior": "jr", "jnr": "jr", "sr": "sr", "senior": "sr", "snr": "sr",
    "i": "i", "1st": "i", "ii": "ii", "2nd": "ii", "iii": "iii", "3rd": "iii", "iv": "iv", "4th": "iv",
}  # fmt: skip
_TITLES_BEHIND = frozenset(
    ["phd", "md", "esq", "esquire", "dds", "dvm", "cpa", "mba", "obe", "mbe", "bsc", "msc"]
)
_PARTICLES = frozenset(
    [
        "de",
        "del",
        "della",
        "der",
        "den",
        "di",
        "da",
        "das",
        "do",
        "dos",
        "du",
        "la",
        "le",
        "las",
        "los",
        "van",
        "von",
        "vom",
        "zu",
        "zum",
        "zur",
        "ten",
        "ter",
        "bin",
        "binti",
        "ibn",
        "al",
        "el",
        "abu",
        "mac",
        "mc",
        "st",
        "san",
        "santa",
        "o",
        "y",
        "e",
    ]
)
_EAST_ASIAN_LENGTHS = range(2, 5)


class NameParts(NamedTuple):
    """The canonical parts of a name; an empty string is a part not given."""

    first: str = ""
    middle: str = ""
    last: str = ""
    suffix: str = ""


def _stripped(tokens: list[str]) -> tuple[list[str], str]:
    """Tokens without titles, and the suffix if there is one. A name that is nothing but a title stays as it is."""
    while len(tokens) > 1 and tokens[0] in _HONORIFICS:
        tokens = tokens[1:]
    suffix = ""
    while len(tokens) > 1 and (tokens[-1] in _SUFFIXES or tokens[-1] in _TITLES_BEHIND):
        suffix = _SUFFIXES.get(tokens[-1], suffix)
        tokens = tokens[:-1]
    return tokens, suffix


@lru_cache(maxsize=32_768)
def name_part(text: str) -> tuple[str, str]:
    """One part of a name (given, middle or family) as canonical words, and the suffix written in it."""
    tokens, suffix = _stripped(list(words(text)))
    return " ".join(tokens), suffix


@lru_cache(maxsize=4096)
def suffix_of(text: str) -> str:
    """The canonical generational suffix, or an empty string where the text is none."""
    found = words(text)
    return _SUFFIXES.get(found[-1], "") if found else ""


def _family_start(tokens: list[str]) -> int:
    """Where the surname begins: the last word and the particles before it, leaving at least one given name."""
    start = len(tokens) - 1
    while start > 1 and tokens[start - 1] in _PARTICLES:
        start -= 1
    return start


@lru_cache(maxsize=32_768)
def full_name(text: str) -> NameParts:
    """The parts of a full name: `First Middle Last`, `Last, First Middle`, or family name first in Han and Hangul."""
    cleaned = clean(text)
    if (
        cleaned
        and "\u3400" <= cleaned[0] <= "\ud7af"
        and len(cleaned) in _EAST_ASIAN_LENGTHS
        and " " not in cleaned
    ):
        given = "".join(words(ascii_of(cleaned[1:])))
        return NameParts(first=given, last="".join(words(cleaned[0])))
    family, comma, given_text = cleaned.partition(",")
    tokens, suffix = _stripped(list(words(cleaned.replace(",", " "))))
    if comma and words(given_text) and not suffix_of(given_text):
        last, behind = _stripped(list(words(family)))
        rest, before = _stripped(list(words(given_text)))
        return NameParts(rest[0], " ".join(rest[1:]), " ".join(last), behind or before)
    if len(tokens) < 2:
        return NameParts(last=" ".join(tokens), suffix=suffix)
    start = _family_start(tokens)
    return NameParts(tokens[0], " ".join(tokens[1:start]), " ".join(tokens[start:]), suffix)
