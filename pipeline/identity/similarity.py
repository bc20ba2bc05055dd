"""How alike two values are: one function an attribute, each from two values to a comparison level with its bits.

String measures: Jaro-Winkler (Winkler 1990) for names, optimal string alignment distance for digits and addresses,
Metaphone (Philips 1990) for sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

from pipeline.identity.blocking import sound
from pipeline.identity.model import LevelWeight
from pipeline.identity.score import Model, NameStatistics

CLOSE_NAME = 0.88
"""Jaro-Winkler from which two names are one misspelt."""

_SUFFIX_GENERATION = {"sr": 1, "i": 1, "jr": 2, "ii": 2, "iii": 3, "iv": 4}


@dataclass(frozen=True, slots=True, order=True)
class PersonName:
    """A canonical name with its sounds, worked out once."""

    first: str
    middle: str
    last: str
    suffix: str
    first_sound: str
    last_sound: str


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A canonical address; an empty string is a part not given."""

    number: str
    street: str
    unit: str
    city: str
    state: str
    postcode: str


@lru_cache(maxsize=65_536)
def person_name(first: str, middle: str, last: str, suffix: str) -> PersonName:
    """A name with its sounds."""
    return PersonName(first, middle, last, suffix, sound(first) if first else "", sound(last) if last else "")


def _scored(attribute: str, level: str, model: Model, rarity: float) -> LevelWeight:
    return LevelWeight(attribute, level, rarity + model.level(attribute, level).weight)


def _rarity(a: str, b: str, names: NameStatistics) -> float:
    """Of a name and its misspelling, the commoner one says how much their agreement is worth."""
    return names.rarity(a) if a == b else min(names.rarity(a), names.rarity(b))


def given_names(a: PersonName, b: PersonName, model: Model) -> LevelWeight | None:
    """Exact, nickname, close, sound, initial, part, or different; None where one is missing."""
    x, y = a.first, b.first
    if not x or not y:
        return None
    if x == y:
        level = "initial" if len(x) == 1 else "exact"
    elif len(x) == 1 or len(y) == 1:
        level = "initial" if x[0] == y[0] else "different"
    elif not model.formal_names(x).isdisjoint(model.formal_names(y)):
        level = "nickname"
    elif JaroWinkler.similarity(x, y, score_cutoff=CLOSE_NAME) or OSA.distance(x, y, score_cutoff=1) <= 1:
        level = "close"
    elif a.first_sound == b.first_sound:
        level = "sound"
    elif not set(x.split()).isdisjoint(y.split()):
        level = "part"
    elif x == b.middle or y == a.middle:
        level = "middle"
    else:
        return model.level("given_name", "different")
    if level in ("initial", "different"):
        return model.level("given_name", level)
    return _scored("given_name", level, model, _rarity(x, y, model.given_names))


def surnames(a: PersonName, b: PersonName, model: Model) -> LevelWeight | None:
    """Exact, close, sound, part (one of a double name), initial, or different; None where one is missing."""
    x, y = a.last, b.last
    if not x or not y:
        return None
    if x == y:
        level = "exact"
    elif len(x) == 1 or len(y) == 1:
        return model.level("surname", "initial" if x[0] == y[0] else "different")
    elif JaroWinkler.similarity(x, y, score_cutoff=CLOSE_NAME) or OSA.distance(x, y, score_cutoff=1) <= 1:
        level = "close"
    elif not set(x.split()).isdisjoint(y.split()):
        level = "part"
    elif a.last_sound == b.last_sound:
        level = "sound"
    else:
        return model.level("surname", "different")
    return _scored("surname", level, model, _rarity(x, y, model.surnames))


def are_swapped(a: PersonName, b: PersonName) -> bool:
    """True where one's given name is the other's surname, both ways round."""
    return bool(a.first and a.last and a.first == b.last and a.last == b.first)


def middle_names(a: PersonName, b: PersonName, model: Model) -> LevelWeight | None:
    """Exact, initial or different; None where one is missing."""
    x, y = a.middle, b.middle
    if not x or not y:
        return None
    if x == y and len(x) > 1:
        return model.level("middle_name", "exact")
    if x[0] == y[0] and (len(x) == 1 or len(y) == 1):
        return model.level("middle_name", "initial")
    close = JaroWinkler.similarity(x, y, score_cutoff=CLOSE_NAME) > 0
    return model.level("middle_name", "close" if close else "different")


def suffixes(a: PersonName, b: PersonName, model: Model) -> LevelWeight | None:
    """Jr against Sr are two people; None where one is missing."""
    x, y = _SUFFIX_GENERATION.get(a.suffix), _SUFFIX_GENERATION.get(b.suffix)
    if x is None or y is None:
        return None
    return model.level("name_suffix", "exact" if x == y else "different")


def births(a: tuple[str, ...], b: tuple[str, ...], model: Model) -> LevelWeight:
    """The best level over all readings of ambiguous dates."""
    if a == b or not set(a).isdisjoint(b):
        return model.level("date_of_birth", "exact")
    return max((_birth_level(x, y, model) for x in a for y in b), key=lambda found: found.weight)


def _birth_level(x: str, y: str, model: Model) -> LevelWeight:
    if x[:4] == y[:4] and x[5:7] == y[8:] and x[8:] == y[5:7]:
        level = "swapped"
    elif OSA.distance(x, y, score_cutoff=1) <= 1:
        level = "digit"
    elif x[5:] == y[5:]:
        level = "same_day"
    elif OSA.distance(x, y, score_cutoff=2) <= 2:
        level = "two_digits"
    elif x[:4] == y[:4]:
        level = "year"
    else:
        level = "different"
    return model.level("date_of_birth", level)


def places(a: Place, b: Place, model: Model) -> LevelWeight | None:
    """From one address down to one town; None where nothing comparable is given."""
    near = _near(a, b)
    if a.street and b.street:
        close = a.street == b.street or _close_street(a.street, b.street)
        if close and a.number and b.number:
            if a.number == b.number:
                level = "exact" if a.street == b.street and near != "apart" else "close"
                if a.unit and b.unit and a.unit != b.unit:
                    level = "other_unit"
            else:
                level = "number_close" if OSA.distance(a.number, b.number, score_cutoff=1) <= 1 else "street"
            return model.level("address", level)
        if close:
            return model.level("address", "no_number" if near != "apart" else "street")
    if near == "postcode" and a.number and a.number == b.number:
        return model.level("address", "number_postcode")
    return model.level("address", near) if near else None


def _near(a: Place, b: Place) -> str:
    if a.postcode and b.postcode:
        if a.postcode == b.postcode:
            return "postcode"
        close = OSA.distance(a.postcode, b.postcode, score_cutoff=1) <= 1
        return "city" if close or (a.city and a.city == b.city) else "apart"
    if a.city and b.city:
        return "city" if a.city == b.city or JaroWinkler.similarity(a.city, b.city) > CLOSE_NAME else "apart"
    return ""


@lru_cache(maxsize=16_384)
def _close_street(x: str, y: str) -> bool:
    p, q = x.replace(" ", ""), y.replace(" ", "")
    shorter = min(len(p), len(q))
    return OSA.normalized_similarity(p, q) >= 0.75 or (shorter >= 6 and (p.startswith(q) or q.startswith(p)))


def national_ids(a: frozenset[str], b: frozenset[str], model: Model) -> LevelWeight | None:
    """Exact, close (one digit), or different, over the ids of one kind; None where the kinds differ."""
    best: LevelWeight | None = None
    for x in a:
        for y in b:
            p, q = x.partition(":"), y.partition(":")
            if p[0] and q[0] and p[0] != q[0]:
                continue
            if p[2] == q[2]:
                return model.level("national_id", "exact")
            close = min(len(p[2]), len(q[2])) >= 6 and OSA.distance(p[2], q[2], score_cutoff=1) <= 1
            found = model.level("national_id", "close" if close else "different")
            best = found if best is None or found.weight > best.weight else best
    return best


def employers(a: str, b: str, model: Model) -> LevelWeight:
    """Same or different; people change jobs, so the latter says little."""
    same = a == b or OSA.normalized_similarity(a, b, score_cutoff=0.8) > 0
    return model.level("employer", "exact" if same else "different")


def emails(a: str, b: str, model: Model, roles: frozenset[str]) -> LevelWeight:
    """Exact, role (a firm's mailbox), close (typing errors), user (same name elsewhere), or different."""
    user, _, domain = a.partition("@")
    if a == b:
        return model.level("email", "role" if user in roles else "exact")
    other, _, place = b.partition("@")
    if user == other and len(user) >= 4:
        return model.level("email", "different" if user in roles else "user")
    if domain == place and len(user) >= 5 and OSA.distance(user, other, score_cutoff=2) <= 2:
        return model.level("email", "close")
    if len(a) >= 12 and OSA.distance(a, b, score_cutoff=3) <= 3:
        return model.level("email", "close")
    return model.level("email", "different")


def lines(a: str, b: str, model: Model) -> LevelWeight:
    """Phone numbers: exact, tail (last seven digits), close (one digit), or different."""
    if a == b:
        return model.level("phone", "exact")
    if a[-7:] == b[-7:]:
        return model.level("phone", "tail")
    return model.level("phone", "close" if OSA.distance(a, b, score_cutoff=1) <= 1 else "different")
