"""Dates of birth in the forms people write them, with the ambiguity of day and month kept."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from pipeline.codes import ReasonCode

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"), ("feb", "february"), ("mar", "march"), ("apr", "april"), ("may",), ("jun", "june"),
            ("jul", "july"), ("aug", "august"), ("sep", "sept", "september"), ("oct", "october"),
            ("nov", "november"), ("dec", "december"),
        ),
        start=1,
    )
    for name in names
}  # fmt: skip
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_YEAR_FIRST = re.compile(r"(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})(?:[t ].*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})(?:[t ].*)?")
_DAY_NAME_YEAR = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[-/., ]+([a-z]+)[-/., ]+(\d{4}|\d{2})")
_NAME_DAY_YEAR = re.compile(r"([a-z]+)[-/., ]+(\d{1,2})(?:st|nd|rd|th)?[-/., ]+(\d{4}|\d{2})")

OLDEST_YEARS = 125
"""Nobody alive is older; a date before that is a mistake or a stand-in."""


def _full_year(text: str, today: date) -> int:
    year = int(text)
    if len(text) == 4:
        return year
    return year + (2000 if year <= today.year % 100 else 1900)


def _readings(text: str, today: date) -> tuple[tuple[int, int, int], ...]:
    """Every (year, month, day) the text may stand for, existing or not."""
    if match := _COMPACT.fullmatch(text) or _YEAR_FIRST.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
        return ((year, month, day),)
    if match := _YEAR_LAST.fullmatch(text):
        first, second, year = int(match[1]), int(match[2]), _full_year(match[3], today)
        return ((year, first, second), (year, second, first))
    if match := _DAY_NAME_YEAR.fullmatch(text):
        return ((_full_year(match[3], today), _MONTHS.get(match[2], 0), int(match[1])),)
    if match := _NAME_DAY_YEAR.fullmatch(text):
        return ((_full_year(match[3], today), _MONTHS.get(match[1], 0), int(match[2])),)
    return ()


def _existing(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


@lru_cache(maxsize=32_768)
def birth_date(text: str, today: date, placeholders: frozenset[str]) -> str | ReasonCode:
    """`YYYY-MM-DD`, both readings joined by `|` where day and month are ambiguous, or why it is no date of birth."""
    lowered = text.casefold()
    readings = _readings(lowered, today)
    dates = sorted({found for reading in readings if (found := _existing(*reading))})
    if any(d.isoformat() in placeholders for d in dates):
        return ReasonCode.PLACEHOLDER
    lived = [d for d in dates if d <= today]
    if not lived:
        late = any(year > today.year for year, month, day in readings)
        return ReasonCode.DATE_IN_FUTURE if dates or late else ReasonCode.INVALID_DATE
    likely = [d for d in lived if d.year >= today.year - OLDEST_YEARS]
    return "|".join(d.isoformat() for d in likely) if likely else ReasonCode.INVALID_DATE
