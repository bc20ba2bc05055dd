"""Text made comparable: Unicode forms, control characters, transliteration. Shared by every normaliser."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ud800-\udfff]+")
_UNUSUAL = frozenset(("Cc", "So", "Cs", "Co"))
_SPACES = re.compile(r"\s+")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile(r"[’'`´ʼ]")
_IDEOGRAPH = re.compile(r"([\u3400-\u9fff\uac00-\ud7af])")


def clean(text: str) -> str:
    """NFKC, without control and invisible characters, single spaces, no space at the ends."""
    if text.isascii() and text.isprintable():
        return _SPACES.sub(" ", text.strip()) if "  " in text else text.strip()
    folded = unicodedata.normalize("NFKC", text)
    return _SPACES.sub(" ", _CONTROL.sub(" ", folded)).strip()


def has_unusual_characters(text: str) -> bool:
    """True where there are control characters, emoji or characters of private use, none of which a name has."""
    if text.isascii() and text.isprintable():
        return False
    return any(unicodedata.category(c) in _UNUSUAL for c in text.strip())


def ascii_of(text: str) -> str:
    """Transliterated to ASCII, without emoji and signs; ideographs and syllable blocks become words of their own."""
    if text.isascii():
        return text
    letters = "".join(" " if unicodedata.category(c)[0] == "S" else c for c in text)
    return anyascii(_IDEOGRAPH.sub(r" \1 ", letters))


@lru_cache(maxsize=65_536)
def words(text: str) -> tuple[str, ...]:
    """Lower-case ASCII words of a text; apostrophes join (O'Hare -> ohare), every other mark parts."""
    joined = _APOSTROPHES.sub("", ascii_of(clean(text)).casefold())
    return tuple(w for w in _NOT_WORD.split(joined) if w)
