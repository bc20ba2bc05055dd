"""How alike two people's names are, part by part.

String measures: Jaro-Winkler (Winkler 1990), optimal string alignment distance, Metaphone (Philips 1990) for sound.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA, JaroWinkler

from pipeline.identity.blocking import sound
from pipeline.identity.score import Level, Model, NameStatistics
from pipeline.identity.text import CLOSE_WORD

ALIKE = 0.75
"""Jaro-Winkler from which two names may be one badly misspelt: no evidence for it, little against."""

_FEW = 2  # letters more or less
_LONG = 5  # letters
_VOWELS = frozenset("aeiouy")
_GENERATION = {"sr": 1, "i": 1, "jr": 2, "ii": 2, "iii": 3, "iv": 4}
_UNSCALED = frozenset(("initial", "other_initial", "alike", "other_name", "different"))
_UNLIKE = frozenset(("alike", "other_name", "different"))
_MISSPELT = frozenset(("close", "sound", "alike"))


class PersonName(NamedTuple):
    """A canonical name; an empty string is a part not given."""

    first: str
    middle: str
    last: str
    suffix: str


NameEvidence = tuple[Level | None, Level | None, Level | None, Level | None]
"""What two names say of given name, surname, middle name and suffix; None where a part is missing on one side."""


def names(a: PersonName, b: PersonName, model: Model) -> NameEvidence:
    """Part by part; where nothing agrees so, with given name and surname the wrong way round."""
    first, middle, last, suffix = a
    other_first, other_middle, other_last, other_suffix = b
    given = _given(a, b, model) if first and other_first else None
    family = _surname(a, b, model) if last and other_last else None
    if (given is None or given.weight < 0) and (family is None or family.weight < 0):
        there, back = _crossed(first, other_last, model), _crossed(other_first, last, model)
        if there is not None and back is not None:
            # the weightier first, so that the outcome is the same whichever side comes first
            more, less = (there, back) if there.weight >= back.weight else (back, there)
            given, family = more, Level("surname", "swapped", less.weight, 0.0)
        elif (given is None or family is None) and (there or back):
            # one of the two is incomplete: a single name in the other's place is all there can be
            given, family = there or back, None
    elif given is not None and given.weight < 0 and family is not None and family.level == "part":
        given = _elsewhere(a, b, model) or given
    return (
        given,
        family,
        _middle(middle, other_middle, model) if middle and other_middle else None,
        _suffix(suffix, other_suffix, model) if suffix and other_suffix else None,
    )


def is_close(x: str, y: str) -> bool:
    """One word with a slip of the pen or two: alike, one stroke apart, or the same letters in another order."""
    return JaroWinkler.similarity(x, y) >= CLOSE_WORD or _is_slip(x, y)


def _is_slip(x: str, y: str) -> bool:
    length, other = len(x), len(y)
    if length == other:
        if length > 3 and x[0] in y and x[-1] in y and sorted(x) == sorted(y):
            return True
    elif not -2 < length - other < 2:
        return False
    return length > 2 and other > 2 and OSA.distance(x, y, score_cutoff=1) <= 1


def is_abbreviation(x: str, y: str) -> bool:
    """Wm for William, Mhd for Muhammed: same first letter, no vowel, its letters in order in the other."""
    short, long = (x, y) if len(x) < len(y) else (y, x)
    if len(short) < 2 or short[0] != long[0] or not _VOWELS.isdisjoint(short[1:]):
        return False
    rest = iter(long)
    return all(letter in rest for letter in short)


def _level(x: str, y: str) -> str:
    if x == y:
        return "initial" if len(x) == 1 else "exact"
    if len(x) == 1 or len(y) == 1:
        return "initial" if x[0] == y[0] else "other_initial"
    likeness = JaroWinkler.similarity(x, y)
    # the measure favours a common beginning: Anna and Annabelle are no misspelling of each other
    if (likeness >= CLOSE_WORD and abs(len(x) - len(y)) <= _FEW) or _is_slip(x, y):
        return "close"
    if (" " in x or " " in y) and not set(x.split()).isdisjoint(y.split()):
        return "part"
    if sound(x) == sound(y):
        return "sound"
    return "alike" if likeness >= ALIKE else "different"


def _weighed(attribute: str, level: str, x: str, y: str, statistics: NameStatistics, model: Model) -> Level:
    declared = model.level(attribute, level)
    if level in _UNSCALED:
        return declared
    # of a name and its misspelling, the commoner one says how much their agreement is worth
    rarity = statistics.rarity(x) if x == y else min(statistics.rarity(x), statistics.rarity(y))
    return Level(attribute, level, rarity + declared.weight, declared.household)


def _given(a: PersonName, b: PersonName, model: Model) -> Level:
    x, y = a.first, b.first
    found = _given_names(x, y, model)
    if (
        (a.middle or b.middle)
        and found.level in _UNLIKE
        and (y in a.middle.split() or x in b.middle.split())
        and _level(x, y) in _UNLIKE
    ):
        return _weighed("given_name", "middle", x, y, model.given_names, model)
    return found


@lru_cache(maxsize=32_768)
def _given_names(x: str, y: str, model: Model) -> Level:
    level = _level(x, y)
    if level in ("exact", "initial", "other_initial"):
        pass
    elif not _formal(x, model).isdisjoint(_formal(y, model)) or is_abbreviation(x, y):
        level = "nickname"
    elif level in _MISSPELT and model.is_given_name(x) and model.is_given_name(y):
        level = _of_existing(x, y)
    return _weighed("given_name", level, x, y, model.given_names, model)


def _formal(name: str, model: Model) -> frozenset[str]:
    """The names a given name may be short for; Peggie is written Peggy as well."""
    found = model.formal_names(name)
    if name.endswith("ie"):
        found |= model.formal_names(f"{name[:-2]}y")
    return found


def _of_existing(x: str, y: str) -> str:
    """Two names that both exist are rarely one misspelt, unless they sound the same (Kristen, Kristin)."""
    if sound(x) != sound(y):
        return "other_name"
    return "sound" if _is_slip(x, y) and min(len(x), len(y)) >= _LONG else "alike"


@lru_cache(maxsize=32_768)
def _family(x: str, y: str, model: Model) -> Level:
    return _weighed("surname", _level(x, y), x, y, model.surnames, model)


def _surname(a: PersonName, b: PersonName, model: Model) -> Level:
    """The surnames, or one of them where the other side has a middle name: who marries may keep it there."""
    found = _family(a.last, b.last, model)
    if found.level in _UNLIKE:
        for last, middle in ((a.last, b.middle), (b.last, a.middle)):
            if len(last) > 1 and last in middle.split():
                return _weighed("surname", "part", last, last, model.surnames, model)
    return found


def _crossed(given: str, family: str, model: Model) -> Level | None:
    """A given name that stands where the other side has its surname; None where it does not."""
    if len(given) < 2 or len(family) < 2 or not is_close(given, family):
        return None
    tables = (model.given_names, model.surnames)
    rarity = min(table.rarity(name) for table in tables for name in (given, family))
    declared = model.level("given_name", "swapped")
    return Level("given_name", "swapped", rarity + declared.weight, declared.household)


def _elsewhere(a: PersonName, b: PersonName, model: Model) -> Level | None:
    """A given name that is the other side's surname where the surname is part of the other's name already.

    Worldwide Exports is Universal Exports Worldwide: each word of the one is a word of the other.
    """
    found = (_crossed(a.first, b.last, model), _crossed(b.first, a.last, model))
    return max((level for level in found if level is not None), key=lambda level: level.weight, default=None)


def _middle(x: str, y: str, model: Model) -> Level:
    if x == y and len(x) > 1:
        level = "exact"
    elif x[0] == y[0] and (len(x) == 1 or len(y) == 1):
        level = "initial"
    elif is_close(x, y):
        level = "close"
    else:
        level = "alike" if JaroWinkler.similarity(x, y) >= ALIKE else "different"
    return model.level("middle_name", level)


def _suffix(x: str, y: str, model: Model) -> Level:
    """Jr against Sr are two people."""
    return model.level("name_suffix", "exact" if _GENERATION.get(x) == _GENERATION.get(y) else "different")
