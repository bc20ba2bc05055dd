"""Dates of birth in the forms people and programs write them, with the ambiguity of day and month kept, and what is not
known of them left open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from pipeline.codes import ReasonCode
from pipeline.identity.partial_dates import Reading, known_part
from pipeline.identity.text import ascii_of, whole_number

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero gennaio janeiro januari janv ene gen",
            "feb february februar fevrier febrero febbraio fevereiro februari fev",
            "mar march marz mars marzo marco maart mrz maerz",
            "apr april avril abril aprile avr abr",
            "may mai mayo maggio maio mei mag",
            "jun june juni juin junio giugno junho giu",
            "jul july juli juillet julio luglio julho juil lug",
            "aug august aout agosto augustus ago",
            "sep sept september septembre septiembre settembre setembro set",
            "oct october oktober octobre octubre ottobre outubro okt ott out",
            "nov november novembre noviembre novembro",
            "dec december dezember decembre diciembre dicembre dezembro desember dez dic",
        ),
        start=1,
    )
    for name in names.split()
}
_ISO = re.compile(r"([12]\d{3})(-?)(\d\d)\2(\d\d)")
_TIME = re.compile(r"(?:[t ]\d{1,2}:\d{2}|(?<=\d)t\d{4}).*$")
_LATE_UTC = re.compile(r"[t ](?:1[3-9]|2[0-3]):(?:00|30)(?::00(?:\.0+)?)?(?:z|\+00:?00)$")
_WEEKDAY = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[., ]+(?=\w)")
_FILLERS = re.compile(r"\b(?:de|of|del|the)\b")
_FIELDS = re.compile(r"\d+|[a-z]+")
_BLANK = re.compile(r"(?<![^\W_])(?:x{1,2}|\?{1,2}|\*{1,2})(?![^\W_])")
"""A month or day left blank (ISO 8601-2: 1978-11-XX)."""
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th|er|o|a)\b")
_SERIAL_DAY = date(1899, 12, 30)
"""What spreadsheets count days from (ECMA-376 part 1, 18.17.4.1), for dates after February 1900."""
_EPOCH = date(1970, 1, 1)
_DAY_MS = 86_400_000
_LONGEST = 48
_IN_EAST_ASIA = str.maketrans("年月년월日일", "----  ")

OLDEST_YEARS = 125
"""Nobody alive is older; a date before that is a mistake or a stand-in."""


def _full_year(text: str, today: date) -> int:
    year = int(text)
    if len(text) == 4:
        return year
    return year + (2000 if year <= today.year % 100 else 1900)


def _readings(text: str, today: date) -> Iterator[Reading]:
    """Every (year, month, day) the text may stand for, existing or not; 0 is a month or day not known."""
    day = _TIME.sub("", text)
    if day.lstrip("-").isdigit():
        yield from _of_number(day)
        return
    plain = _BLANK.sub("00", _ORDINAL.sub("", _FILLERS.sub(" ", _WEEKDAY.sub("", day))))
    fields = _FIELDS.findall(plain)
    if not 1 <= len(fields) <= 3 or _FIELDS.sub("", plain).strip("-/., "):
        return
    named = [at for at, field in enumerate(fields) if not field.isdigit()]
    if len(fields) < 3:
        yield from _without_day(fields, len(named))
    elif len(named) == 1:
        yield from _with_named_month(fields, named[0], today)
    elif not named:
        yield from _with_numbers(fields, today)


def _without_day(fields: list[str], named: int) -> Iterator[Reading]:
    """A year, or month and year in either order; the year in full, or it might be anything."""
    year = next((field for field in fields if len(field) == 4 and field.isdigit()), "")
    months = [field for field in fields if field != year]
    if not year or len(months) + 1 < len(fields):
        return
    month = months[0] if months else "0"
    if named:
        if month in _MONTHS:
            yield int(year), _MONTHS[month], 0
    elif len(month) <= 2:
        yield int(year), int(month), 0


def _with_numbers(fields: list[str], today: date) -> Iterator[Reading]:
    first, second, third = (int(f) for f in fields)
    if len(fields[0]) == 4 and len(fields[1]) <= 2 and len(fields[2]) <= 2:
        yield first, second, third
    elif (
        len(fields[0]) <= 2
        and len(fields[1]) <= 2
        and len(fields[2]) in ((2, 4) if first and second else (4,))
    ):
        year = _full_year(fields[2], today)
        yield year, first, second
        yield year, second, first


def _with_named_month(fields: list[str], at: int, today: date) -> Iterator[Reading]:
    month = _MONTHS.get(fields[at], -1)
    one, other = (field for field in fields if field.isdigit())
    if len(one) == 4 and len(other) <= 2:
        yield int(one), month, int(other)
    elif len(one) <= 2 and len(other) in (2, 4):
        yield _full_year(other, today), month, int(one)


def _of_number(text: str) -> Iterator[Reading]:
    """Digits alone: YYYYMMDD, or else DDMMYYYY or MMDDYYYY; YYYY; days of a spreadsheet; milliseconds of a program."""
    digits = len(text.lstrip("-"))
    if text[0] == "-" and digits < 10:
        return
    if digits == 8:
        year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
        yield year, month, day
        if _existing(year, month, day) is None or year < 1000:
            yield int(text[4:]), int(text[:2]), int(text[2:4])
            yield int(text[4:]), int(text[2:4]), int(text[:2])
    elif digits == 4:
        yield int(text), 0, 0
    elif digits == 5:
        found = _SERIAL_DAY + timedelta(days=int(text))
        yield found.year, found.month, found.day
    elif 11 <= digits <= 13:
        try:
            found = _EPOCH + timedelta(days=int(text) // _DAY_MS)
        except OverflowError:
            return
        yield found.year, found.month, found.day


def _existing(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


@lru_cache(maxsize=32_768)
def birth_date(text: str, today: date, placeholders: frozenset[str]) -> str | ReasonCode:
    """`YYYY-MM-DD`, both readings joined by `|` where day and month are ambiguous, `YYYY-MM-00` or `YYYY-00-00` where
    no more is known, or why it is no date of birth."""
    if plain := _ISO.fullmatch(text):  # nearly all there are
        found = _existing(int(plain[1]), int(plain[3]), int(plain[4]))
        if (
            found
            and (written := found.isoformat()) not in placeholders
            and today.year - OLDEST_YEARS <= found.year
        ):
            return written if found <= today else ReasonCode.DATE_IN_FUTURE
    lowered = whole_number(ascii_of(text.translate(_IN_EAST_ASIA).strip()))
    if len(lowered) > _LONGEST:
        return ReasonCode.INVALID_DATE
    readings = {r for part in lowered.split("|") for r in _readings(part.strip(), today)}
    dates = {found for reading in readings if (found := _existing(*reading))}
    if not dates:
        return known_part(readings, today, today.year - OLDEST_YEARS, placeholders)
    if any(d.isoformat() in placeholders for d in dates):
        return ReasonCode.PLACEHOLDER
    if dates and _LATE_UTC.search(lowered):
        # midnight east of Greenwich, told in UTC: the day meant is the next one
        dates |= {d + timedelta(days=1) for d in dates}
    lived = [d for d in dates if d <= today]
    if not lived:
        return ReasonCode.DATE_IN_FUTURE
    likely = sorted(d for d in lived if d.year >= today.year - OLDEST_YEARS)
    return "|".join(d.isoformat() for d in likely) if likely else ReasonCode.INVALID_DATE
