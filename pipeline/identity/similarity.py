"""How alike two values are: one function an attribute, each from two values to a comparison level with its bits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

from pipeline.identity.score import Level, Model

CLOSE_WORD = 0.88
"""Jaro-Winkler from which two words are one misspelt."""

_MONTH, _YEAR = 35, 366  # days, generously
_GENERATION = 12 * _YEAR
_SHORTEST_USER = 4


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A canonical address; an empty string is a part not given."""

    number: str
    street: str
    unit: str
    city: str
    state: str
    postcode: str


def births(a: tuple[str, ...], b: tuple[str, ...], model: Model) -> Level:
    """The best level over all readings of ambiguous dates."""
    if a == b or not set(a).isdisjoint(b):
        return model.level("date_of_birth", "exact")
    return max(
        (model.level("date_of_birth", _birth(x, y)) for x in a for y in b), key=lambda found: found.weight
    )


def _birth(x: str, y: str) -> str:
    same_year, same_month, same_day = x[:4] == y[:4], x[5:7] == y[5:7], x[8:] == y[8:]
    if same_year and x[5:7] == y[8:] and x[8:] == y[5:7]:
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
    near = _near(a, b)
    if a.street and b.street and (a.street == b.street or _is_close_street(a.street, b.street)):
        return model.level("address", _same_street(a, b, near))
    if near == "postcode" and a.number and a.number == b.number:
        return model.level("address", "number_postcode")
    if near:
        return model.level("address", near)
    return None


def _same_street(a: Place, b: Place, near: str) -> str:
    if not a.number or not b.number:
        return "street" if near == "apart" else "no_number"
    if a.number != b.number:
        return "number_close" if OSA.distance(a.number, b.number, score_cutoff=1) <= 1 else "street"
    if a.unit and b.unit and a.unit != b.unit and not _is_close_street(a.unit, b.unit):
        return "other_unit"
    return "exact" if a.street == b.street and near != "apart" else "close"


def _near(a: Place, b: Place) -> str:
    same_city = bool(a.city and b.city) and (
        a.city == b.city or JaroWinkler.similarity(a.city, b.city) >= CLOSE_WORD
    )
    if a.postcode and b.postcode:
        if a.postcode == b.postcode:
            return "postcode"
        return "city" if same_city or OSA.distance(a.postcode, b.postcode, score_cutoff=1) <= 1 else "apart"
    if a.city and b.city:
        return "city" if same_city else "apart"
    return ""


@lru_cache(maxsize=16_384)
def _is_close_street(x: str, y: str) -> bool:
    p, q = x.replace(" ", ""), y.replace(" ", "")
    if OSA.normalized_similarity(p, q) >= 0.75:
        return True
    return min(len(p), len(q)) >= 6 and (p.startswith(q) or q.startswith(p))


def national_ids(a: frozenset[str], b: frozenset[str], model: Model) -> Level | None:
    """The best over the ids of one kind, each `kind:value`; None where the kinds differ."""
    found = {_national_id(x.partition(":"), y.partition(":")) for x in a for y in b} - {""}
    return max((model.level("national_id", level) for level in found), key=lambda f: f.weight, default=None)


def _national_id(x: tuple[str, str, str], y: tuple[str, str, str]) -> str:
    if x[0] and y[0] and x[0] != y[0]:
        return ""
    if x[2] == y[2]:
        return "exact"
    close = min(len(x[2]), len(y[2])) >= 6 and OSA.distance(x[2], y[2], score_cutoff=1) <= 1
    return "close" if close else "different"


def employers(a: str, b: str, model: Model) -> Level:
    """Same or different; people change jobs, so the latter says little."""
    same = a == b or OSA.normalized_similarity(a, b) >= 0.8
    return model.level("employer", "exact" if same else "different")


def emails(a: str, b: str, model: Model, roles: frozenset[str]) -> Level:
    """Exact, role (a firm's mailbox), close (slips of the pen), user (the same one elsewhere), or different."""
    user, _, domain = a.partition("@")
    other, _, elsewhere = b.partition("@")
    if a == b:
        level = "role" if user in roles else "exact"
    elif user in roles or other in roles:
        level = "different"
    elif _is_close_address(user, domain, other, elsewhere):
        level = "close"
    else:
        level = "user" if user == other and len(user) >= _SHORTEST_USER else "different"
    return model.level("email", level)


def _is_close_address(user: str, domain: str, other: str, elsewhere: str) -> bool:
    """One slip of the pen in a short user name, two in a longer one; three in all."""
    in_user = OSA.distance(user, other, score_cutoff=2)
    if in_user > (2 if min(len(user), len(other)) >= 5 else 0):
        return False
    # short domains differ by little although they are two providers (aol.com, gol.com)
    in_domain = OSA.distance(domain, elsewhere, score_cutoff=3)
    return in_domain == 0 or (in_user + in_domain <= 3 and in_domain * 4 <= min(len(domain), len(elsewhere)))


def lines(a: str, b: str, model: Model) -> Level:
    """Phone numbers: exact, tail (the last seven digits), close (one digit), or different."""
    if a == b:
        return model.level("phone", "exact")
    if a[-7:] == b[-7:]:
        return model.level("phone", "tail")
    return model.level("phone", "close" if OSA.distance(a, b, score_cutoff=1) <= 1 else "different")
