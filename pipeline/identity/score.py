"""The match weights and what they add up to (Fellegi & Sunter 1969; Winkler 2006).

A weight is log2(m / u): how many times likelier a comparison level is between two records of one person (m) than
between two records of two people (u). Weights of independent attributes add up; with the prior they are the log2
odds of a match, and odds are a probability.

Two people are two sorts of pairs, though: strangers, who share next to nothing, and members of one household, who share
home, surname, phone and e-mail and differ in given name and date of birth. So each level has a weight against either,
each sum its prior, and the odds of a match are those against both: 1 / odds = 1 / odds_s + 1 / odds_h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log2
from typing import NamedTuple

_STEEPEST = 1000.0
"""Beyond this many bits a float holds 0 or 1 anyway; it keeps 2**x from overflowing."""


def confidence(weight: float) -> float:
    """The probability of a match whose log2 odds are `weight` bits: 1 / (1 + 2**-weight)."""
    if weight > _STEEPEST:
        weight = _STEEPEST
    elif weight < -_STEEPEST:
        weight = -_STEEPEST
    return float(1.0 / (1.0 + 2.0**-weight))


def bits(probability: float) -> float:
    """The log2 odds of a probability strictly between 0 and 1; the inverse of `confidence`."""
    return log2(probability / (1.0 - probability))


def against_both(strangers: float, household: float) -> float:
    """The log2 odds of one person against two strangers or two of a household: -log2(2**-s + 2**-h)."""
    low, high = (strangers, household) if strangers < household else (household, strangers)
    apart = high - low
    return low - log2(1.0 + 2.0 ** -(apart if apart < _STEEPEST else _STEEPEST))


class Rates(NamedTuple):
    """How often a comparison level is reached: between two records of one person (`m`), of strangers (`u`), and of two
    members of one household (`h`).

    Probabilities where the attribute is given on both sides. For an agreement in a name `u` counts times the share of
    people who bear that name: its rarity comes on top of the weight.
    """

    m: float
    u: float
    h: float


class Level(NamedTuple):
    """A comparison level reached: its weight in bits against strangers, and against members of one household.

    A tuple, since a comparison makes a handful of them and a dataclass takes three times as long to make.
    """

    attribute: str
    level: str
    weight: float
    household: float


def level_of(attribute: str, level: str, rates: Rates) -> Level:
    """The level with its match weights, log2(m / u) and log2(m / h)."""
    return Level(attribute, level, log2(rates.m / rates.u), log2(rates.m / rates.h))


@dataclass(frozen=True, slots=True)
class NameStatistics:
    """How rare a name is: -log2 of the share of people called so, in bits; `unlisted` that of names not listed."""

    bits: Mapping[str, float]
    unlisted: float

    def rarity(self, name: str) -> float:
        """The rarity of a name in bits."""
        return self.bits.get(name, self.unlisted)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A versioned set of match weights in bits.

    `prior` is the log2 odds that two candidates are one person rather than strangers before anything is compared,
    `household_prior` rather than members of one household. `levels` are the weights that follow from `rates`. An
    agreeing level of a name counts the rarity of the name plus the level's weight. `given_names` and `nicknames` tell
    as well which given names exist. A model equals itself only, so that what is remembered of names may be remembered
    by model.
    """

    version: str
    prior: float
    household_prior: float
    rates: Mapping[str, Mapping[str, Rates]]
    levels: Mapping[str, Mapping[str, Level]]
    limits: Mapping[str, float]
    given_names: NameStatistics
    surnames: NameStatistics
    nicknames: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def level(self, attribute: str, level: str) -> Level:
        """The declared level. KeyError where the model lacks it; `load_model` sees to it that it does not."""
        return self.levels[attribute][level]

    def is_given_name(self, name: str) -> bool:
        """True for a given name that is known to exist: two such are rarely one misspelt."""
        return name in self.given_names.bits or name in self.nicknames

    def formal_names(self, name: str) -> frozenset[str]:
        """The names a given name may be short for, itself included."""
        return self.nicknames.get(name) or frozenset((name,))
