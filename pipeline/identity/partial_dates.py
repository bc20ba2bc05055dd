"""Dates of birth of which only the year, or year and month, is known: `1978-00-00`, `1978-11-00`.

The zeros are those that databases and passports write for what is not known; as text such a date sorts before every
whole one that it may be.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from pipeline.codes import ReasonCode

Reading = tuple[int, int, int]
_UNKNOWN = "00"


def is_whole(born: str) -> bool:
    """True for a canonical date that names a day; one of two readings is as good as whole."""
    return not born.endswith(_UNKNOWN)


def known_part(
    readings: Collection[Reading], today: date, oldest: int, placeholders: frozenset[str]
) -> str | ReasonCode:
    """What is known of a date none of whose readings (year, month, day) is a day: 0 is a month or day not known.

    Where readings differ (`00/11/1978`) the one that says more counts. `oldest` is the earliest year there may be.
    """
    told = {text for reading in readings if (text := _canonical(reading))}
    months = {text for text in told if text[5:7] != _UNKNOWN}
    found = months or told
    if len(found) != 1:
        late = any(year > today.year for year, _, _ in readings)
        return ReasonCode.DATE_IN_FUTURE if late else ReasonCode.INVALID_DATE
    (text,) = found
    if text in placeholders:
        return ReasonCode.PLACEHOLDER
    if text[:7] > today.isoformat()[:7]:
        return ReasonCode.DATE_IN_FUTURE
    return text if int(text[:4]) >= oldest else ReasonCode.INVALID_DATE


def _canonical(reading: Reading) -> str:
    year, month, day = reading
    if not month and 0 <= day <= 31:  # a day of a month not known says nothing
        return f"{year:04}-{_UNKNOWN}-{_UNKNOWN}"
    return f"{year:04}-{month:02}-{_UNKNOWN}" if not day and 1 <= month <= 12 else ""


def fits(partial: str, born: str) -> bool:
    """True where a date, or one of its readings, may be the one that `partial` knows a part of, and says more."""
    if is_whole(partial):
        return False
    known = partial[:4] if partial[5:7] == _UNKNOWN else partial[:7]
    return any(reading.startswith(known) and reading > partial for reading in born.split("|"))


def telling(births: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """The dates, each its readings, without those that another one fits and says more than: a part of what is known is
    no second opinion."""
    return tuple([b for b in births if not any(fits(b[0], "|".join(other)) for other in births)])


def precision(born: str) -> int:
    """1 for a day, less for two readings of one, for a month and for a year."""
    if is_whole(born):
        return 1 if "|" not in born else -1
    return -2 if born[5:7] != _UNKNOWN else -3


def likeness(x: str, y: str, generation: int) -> str:
    """The comparison level of two dates of which one at least is partial; a `generation` is so many years."""
    years = abs(int(x[:4]) - int(y[:4]))
    if years > 1:
        return "different" if years < generation else "age_gap"
    if years or (x[5:7] != y[5:7] and _UNKNOWN not in (x[5:7], y[5:7])):
        return "year"
    return "same_year" if _UNKNOWN in (x[5:7], y[5:7]) else "same_month"
