"""Text made comparable: Unicode forms, control characters, transliteration. Shared by every normaliser."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

CLOSE_WORD = 0.88
"""Jaro-Winkler from which two words are one misspelt."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]+"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_UNUSUAL = frozenset(("Cc", "So", "Cs", "Co"))
_SPACES = re.compile(r"\s+")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile(r"[’'`´ʼ]")
_KEPT_SIGNS = frozenset("`⁄")
_IDEOGRAPH = re.compile(r"([\u3400-\u9fff\uac00-\ud7af])")

# Scripts that leave vowels out write the long ones: as vowels behind a consonant they come close to romanised names.
_SEMITIC = re.compile(r"[\u0590-\u06ff]")
_VOWELS = (
    (re.compile(r"(?<=[\u0621-\u064a])[يىی](?!ا)"), "i"),
    (re.compile(r"(?<=[\u0621-\u064a])و(?!ا)"), "u"),
    (re.compile(r"[اأآةع](?<!\wع)"), "a"),
    (re.compile(r"إ"), "i"),
    (re.compile(r"(?<=[\u05d0-\u05ea])י(?!\b)"), "i"),
    (re.compile(r"(?<=[\u05d0-\u05ea])ו(?=\w)"), "o"),
    (re.compile(r"(?<=[\u05d0-\u05ea])ה\b"), "a"),
    (re.compile(r"כ"), "k"),
)
_GREEK_U = re.compile(r"ο[υύ]")


def vocabulary(text: str) -> frozenset[str]:
    """A set of words, written as a text."""
    return frozenset(text.split())


def clean(text: str) -> str:
    """NFKC, without control and invisible characters, single spaces, no space at the ends."""
    if text.isascii() and text.isprintable():
        return _SPACES.sub(" ", text.strip()) if "  " in text else text.strip()
    # first what cannot be seen, so that what it kept apart can be composed; an acute alone is meant as an apostrophe
    seen = _CONTROL.sub(" ", _INVISIBLE.sub("", text)).replace("´", "'")
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", seen)).strip()


def has_unusual_characters(text: str) -> bool:
    """True where there are control characters, emoji or characters of private use, none of which a name has."""
    if text.isascii() and text.isprintable():
        return False
    return any(unicodedata.category(c) in _UNUSUAL for c in text.strip())


def ascii_of(text: str) -> str:
    """Lower-case ASCII, without emoji and signs; ideographs and syllable blocks become words of their own."""
    lowered = text.casefold()
    if lowered.isascii():
        return lowered
    letters = "".join(
        " " if unicodedata.category(c)[0] == "S" and c not in _KEPT_SIGNS else c for c in lowered
    )
    if _SEMITIC.search(letters):
        for consonant, vowel in _VOWELS:
            letters = consonant.sub(vowel, letters)
    return anyascii(_IDEOGRAPH.sub(r" \1 ", _GREEK_U.sub("ou", letters))).casefold()


def whole_number(text: str) -> str:
    """Without the `.0` that spreadsheets and data frames put behind a number they took for a quantity."""
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


@lru_cache(maxsize=65_536)
def words(text: str) -> tuple[str, ...]:
    """Lower-case ASCII words of a text; apostrophes join (O'Hare -> ohare), every other mark parts."""
    joined = _APOSTROPHES.sub("", ascii_of(clean(text)))
    return tuple(w for w in _NOT_WORD.split(joined) if w)
