"""How alike two values are: one function an attribute, each from two values to a comparison level with its bits."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA, JaroWinkler

from pipeline.identity import firms
from pipeline.identity.partial_dates import is_whole, likeness
from pipeline.identity.score import Level, Model
from pipeline.identity.text import CLOSE_WORD

_MONTH, _YEAR = 35, 366  # days, generously
_GENERATION_YEARS = 12
_GENERATION = _GENERATION_YEARS * _YEAR
_SHORTEST_USER, _LONG_USER = 4, 5
_NATIONAL = 9
"""Digits that tell a line within a country, whichever country it was taken to be in."""


class Place(NamedTuple):
    """A canonical address; an empty string is a part not given."""

    number: str
    street: str
    unit: str
    city: str
    state: str
    postcode: str


def births(a: tuple[str, ...], b: tuple[str, ...], model: Model) -> Level:
    """The best level over all readings of ambiguous dates."""
    levels = model.levels["date_of_birth"]
    if a == b and is_whole(a[0]):
        return levels["exact"]
    if len(a) == 1 and len(b) == 1:
        return levels[_birth(a[0], b[0])]
    if not set(a).isdisjoint(b):
        return levels["exact"]
    return max((levels[_birth(x, y)] for x in a for y in b), key=lambda found: found.weight)


def _birth(x: str, y: str) -> str:
    return _days_of_birth(x, y) if is_whole(x) and is_whole(y) else likeness(x, y, _GENERATION_YEARS)


def _days_of_birth(x: str, y: str) -> str:
    year, month, day = x[:4], x[5:7], x[8:]
    same_year, same_month, same_day = year == y[:4], month == y[5:7], day == y[8:]
    if same_year and month == y[8:] and day == y[5:7]:
        return "swapped"
    if OSA.distance(x, y, score_cutoff=1) <= 1:
        return "digit"
    if same_year + same_month + same_day == 2:
        return "part"
    days = abs(_days(x) - _days(y))
    # off by a month, or by a decade and a month: slips of the pen; off by a year: hardly one
    if days <= _MONTH or abs(days - 10 * _YEAR) <= _MONTH:
        return "near"
    if days <= _YEAR + _MONTH:
        return "year"
    return "different" if days < _GENERATION else "age_gap"


@lru_cache(maxsize=16_384)
def _days(born: str) -> int:
    return date.fromisoformat(born).toordinal()


def places(a: Place, b: Place, model: Model) -> Level | None:
    """From one address down to one town; None where nothing comparable is given."""
    number, street, _, city, _, code = a
    other_number, other_street, _, other_city, _, other_code = b
    near = _near(city, code, other_city, other_code)
    if street and other_street and (street == other_street or _is_close_street(street, other_street)):
        return model.levels["address"][_same_street(a, b, near)]
    if near == "postcode" and number and number == other_number:
        near = "number_postcode"
    return model.levels["address"][near] if near else None


def _same_street(a: Place, b: Place, near: str) -> str:
    if not a.number or not b.number:
        return "street" if near == "apart" else "no_number"
    if a.number != b.number:
        return "number_close" if OSA.distance(a.number, b.number, score_cutoff=1) <= 1 else "street"
    if a.unit and b.unit and a.unit != b.unit and not _is_close_street(a.unit, b.unit):
        return "other_unit"
    return "exact" if a.street == b.street and near != "apart" else "close"


def _near(city: str, code: str, other_city: str, other_code: str) -> str:
    if code and code == other_code:
        return "postcode"
    if city and other_city and (city == other_city or JaroWinkler.similarity(city, other_city) >= CLOSE_WORD):
        return "city"
    if code and other_code:
        return "city" if OSA.distance(code, other_code, score_cutoff=1) <= 1 else "apart"
    return "apart" if city and other_city else ""


def _is_close_street(x: str, y: str) -> bool:
    p, q = x.replace(" ", ""), y.replace(" ", "")
    if OSA.normalized_similarity(p, q) >= 0.75:
        return True
    return len(p) >= 6 and len(q) >= 6 and (p.startswith(q) or q.startswith(p))


def national_ids(a: frozenset[str], b: frozenset[str], model: Model) -> Level | None:
    """The best over the ids of one kind, each `kind:value`; None where the kinds differ."""
    if len(a) == 1 and len(b) == 1:
        (x,), (y,) = a, b
        level = _national_id(x.partition(":"), y.partition(":"))
        return model.level("national_id", level) if level else None
    found = {_national_id(x.partition(":"), y.partition(":")) for x in a for y in b} - {""}
    return max((model.level("national_id", level) for level in found), key=lambda f: f.weight, default=None)


def _national_id(x: tuple[str, str, str], y: tuple[str, str, str]) -> str:
    if x[0] and y[0] and x[0] != y[0]:
        return ""
    if x[2] == y[2]:
        return "exact"
    close = len(x[2]) >= 6 and len(y[2]) >= 6 and OSA.distance(x[2], y[2], score_cutoff=1) <= 1
    return "close" if close else "different"


def genders(a: str, b: str, model: Model) -> Level:
    """Same or different."""
    return model.level("gender", "exact" if a == b else "different")


def employers(a: str, b: str, model: Model) -> Level:
    """Same or different; people change jobs, so the latter says little."""
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    same = OSA.normalized_similarity(a, b) >= 0.8 or long.startswith(f"{short} ")
    return model.level("employer", "exact" if same else "different")


def organisations(a: str, b: str, model: Model) -> Level:
    """Exact, close, part (a branch or a short form), or different."""
    return model.levels["organisation"][firms.likeness(a, b)]


def emails(a: str, b: str, model: Model, roles: frozenset[str]) -> Level:
    """Exact, role (a firm's mailbox), close (slips of the pen), user (the same one elsewhere), or different."""
    user, _, domain = a.partition("@")
    levels = model.levels["email"]
    if a == b:
        return levels["role" if user in roles else "exact"]
    other, _, elsewhere = b.partition("@")
    if user in roles or other in roles:
        return levels["different"]
    if _is_close_address(user, domain, other, elsewhere):
        return levels["close"]
    return levels["user" if user == other and len(user) >= _SHORTEST_USER else "different"]


def _is_close_address(user: str, domain: str, other: str, elsewhere: str) -> bool:
    """One slip of the pen in a short user name, two in a longer one; three in all."""
    in_user = 0
    if user != other:
        if len(user) < _LONG_USER or len(other) < _LONG_USER:
            return False
        in_user = OSA.distance(user, other, score_cutoff=2)
        if in_user > 2:
            return False
    if domain == elsewhere:
        return True
    # short domains differ by little although they are two providers (aol.com, gol.com)
    in_domain = OSA.distance(domain, elsewhere, score_cutoff=3)
    return in_user + in_domain <= 3 and in_domain * 4 <= min(len(domain), len(elsewhere))


def lines(a: str, b: str, model: Model) -> Level:
    """Phone numbers: exact, national (but for the country code, which may have been guessed), tail (the last seven
    digits), close (one digit), or different."""
    levels = model.levels["phone"]
    if a == b:
        return levels["exact"]
    if a[-7:] == b[-7:]:
        return levels["national" if a[-_NATIONAL:] == b[-_NATIONAL:] else "tail"]
    return levels["close" if OSA.distance(a, b, score_cutoff=1) <= 1 else "different"]
