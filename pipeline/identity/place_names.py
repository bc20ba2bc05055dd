"""Countries, states, cities and postcodes by the one name they are compared by."""

from __future__ import annotations

import re
from functools import lru_cache

from pipeline.identity.address_words import SHORT, STATE_SHORT, STATES
from pipeline.identity.countries import COUNTRIES
from pipeline.identity.text import whole_number, words

COUNTRY_PREFIX = re.compile(
    r"\A(?:a|b|ch|cz|d|dk|e|f|fi|fl|gr|h|hr|i|l|lt|lv|n|nl|p|pl|ro|s|sk|si)-?(?=\d{4,6}$)"
)
"""The letters of a country before a continental postcode: D-80331."""


@lru_cache(maxsize=4096)
def country(text: str) -> str:
    """The ISO 3166-1 alpha-2 code of a country's code or name, or its canonical words where unknown."""
    cleaned = " ".join(words(text))
    found = COUNTRIES.get(cleaned)
    if found is None and cleaned.startswith("the "):
        found = COUNTRIES.get(cleaned[4:])
    return found or (cleaned.upper() if len(cleaned) == 2 else cleaned)


@lru_cache(maxsize=16_384)
def state(text: str) -> str:
    """The usual code of a state, or its canonical words."""
    cleaned = " ".join(words(text))
    return STATES.get(cleaned) or STATE_SHORT.get(cleaned, cleaned)


@lru_cache(maxsize=16_384)
def city(text: str) -> str:
    """Canonical words of a city; Saint and Sankt are written St."""
    found = words(text)
    if len(found) > 1 and found[0] in ("saint", "sankt", "sainte"):
        return " ".join((SHORT[found[0]], *found[1:]))
    return " ".join(found)


@lru_cache(maxsize=16_384)
def postcode(text: str) -> str:
    """Upper case without spaces, dashes and a country's letter in front; a US ZIP+4 is cut to its five digits."""
    joined = COUNTRY_PREFIX.sub("", "".join(words(whole_number(text))))
    return joined[:5] if len(joined) == 9 and joined.isdigit() else joined.upper()
