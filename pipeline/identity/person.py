"""How alike two people's names are, part by part.

String measures: Jaro-Winkler (Winkler 1990), optimal string alignment distance, Metaphone (Philips 1990) for sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

from pipeline.identity.blocking import sound
from pipeline.identity.score import Level, Model, NameStatistics

CLOSE = 0.88
"""Jaro-Winkler from which two names are one misspelt."""

ALIKE = 0.75
"""Jaro-Winkler from which two names may be one badly misspelt: no evidence for it, little against."""

_VOWELS = frozenset("aeiouy")
_GENERATION = {"sr": 1, "i": 1, "jr": 2, "ii": 2, "iii": 3, "iv": 4}
_UNSCALED = frozenset(("initial", "other_initial", "alike", "different"))


@dataclass(frozen=True, slots=True, order=True)
class PersonName:
    """A canonical name with its sounds, worked out once."""

    first: str
    middle: str
    last: str
    suffix: str
    first_sound: str
    last_sound: str


@dataclass(frozen=True, slots=True)
class NameEvidence:
    """What two names say, part by part; None where a part is missing on one side."""

    given: Level | None
    family: Level | None
    middle: Level | None
    suffix: Level | None


@lru_cache(maxsize=65_536)
def person_name(first: str, middle: str, last: str, suffix: str) -> PersonName:
    """A name with its sounds."""
    return PersonName(first, middle, last, suffix, sound(first) if first else "", sound(last) if last else "")


def names(a: PersonName, b: PersonName, model: Model) -> NameEvidence:
    """Part by part; where nothing agrees so, with given name and surname the wrong way round."""
    given, family = _given(a, b, model), _family(a, b, model)
    if (given is None or given.weight < 0) and (family is None or family.weight < 0):
        there, back = _crossed(a.first, b.last, model), _crossed(b.first, a.last, model)
        if there is not None and back is not None:
            # the weightier first, so that the outcome is the same whichever side comes first
            more, less = (there, back) if there.weight >= back.weight else (back, there)
            given, family = more, Level("surname", "swapped", less.weight, 0.0)
        elif given is None or family is None:
            # one of the two is incomplete: a single name in the other's place is all there can be
            given, family = (there or back, None) if there or back else (given, family)
    return NameEvidence(
        given,
        family,
        _middle(a.middle, b.middle, model) if a.middle and b.middle else None,
        _suffix(a.suffix, b.suffix, model) if a.suffix and b.suffix else None,
    )


def is_close(x: str, y: str) -> bool:
    """One word with a slip of the pen or two: alike, one stroke apart, or the same letters in another order."""
    if JaroWinkler.similarity(x, y) >= CLOSE:
        return True
    shortest = min(len(x), len(y))
    if shortest > 2 and OSA.distance(x, y, score_cutoff=1) <= 1:
        return True
    return shortest == len(x) == len(y) > 3 and sorted(x) == sorted(y)


def is_abbreviation(x: str, y: str) -> bool:
    """Wm for William, Mhd for Muhammed: same first letter, no vowel, its letters in order in the other."""
    short, long = (x, y) if len(x) < len(y) else (y, x)
    if len(short) < 2 or short[0] != long[0] or not _VOWELS.isdisjoint(short[1:]):
        return False
    rest = iter(long)
    return all(letter in rest for letter in short)


def _level(x: str, y: str, sounds: tuple[str, str]) -> str:
    if x == y:
        return "initial" if len(x) == 1 else "exact"
    if len(x) == 1 or len(y) == 1:
        return "initial" if x[0] == y[0] else "other_initial"
    if is_close(x, y):
        return "close"
    if not set(x.split()).isdisjoint(y.split()):
        return "part"
    if sounds[0] == sounds[1]:
        return "sound"
    return "alike" if JaroWinkler.similarity(x, y) >= ALIKE else "different"


def _weighed(attribute: str, level: str, x: str, y: str, statistics: NameStatistics, model: Model) -> Level:
    declared = model.level(attribute, level)
    if level in _UNSCALED:
        return declared
    # of a name and its misspelling, the commoner one says how much their agreement is worth
    rarity = statistics.rarity(x) if x == y else min(statistics.rarity(x), statistics.rarity(y))
    return Level(attribute, level, rarity + declared.weight, declared.household)


def _given(a: PersonName, b: PersonName, model: Model) -> Level | None:
    x, y = a.first, b.first
    if not x or not y:
        return None
    level = _level(x, y, (a.first_sound, b.first_sound))
    if level in ("exact", "initial", "other_initial"):
        pass
    elif not model.formal_names(x).isdisjoint(model.formal_names(y)) or is_abbreviation(x, y):
        level = "nickname"
    elif level in ("close", "sound") and x != y and model.is_given_name(x) and model.is_given_name(y):
        level = "alike"
    elif level in _UNSCALED and (y in a.middle.split() or x in b.middle.split()):
        level = "middle"
    return _weighed("given_name", level, x, y, model.given_names, model)


def _family(a: PersonName, b: PersonName, model: Model) -> Level | None:
    if not a.last or not b.last:
        return None
    level = _level(a.last, b.last, (a.last_sound, b.last_sound))
    return _weighed("surname", level, a.last, b.last, model.surnames, model)


def _crossed(given: str, family: str, model: Model) -> Level | None:
    """A given name that stands where the other side has its surname; None where it does not."""
    if len(given) < 2 or len(family) < 2 or not is_close(given, family):
        return None
    tables = (model.given_names, model.surnames)
    rarity = min(table.rarity(name) for table in tables for name in (given, family))
    declared = model.level("given_name", "swapped")
    return Level("given_name", "swapped", rarity + declared.weight, declared.household)


def _middle(x: str, y: str, model: Model) -> Level:
    if x == y and len(x) > 1:
        level = "exact"
    elif x[0] == y[0] and (len(x) == 1 or len(y) == 1):
        level = "initial"
    else:
        level = "close" if is_close(x, y) else "different"
    return model.level("middle_name", level)


def _suffix(x: str, y: str, model: Model) -> Level:
    """Jr against Sr are two people."""
    return model.level("name_suffix", "exact" if _GENERATION.get(x) == _GENERATION.get(y) else "different")
