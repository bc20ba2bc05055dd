"""Rates and priors by expectation maximisation, without labels (Dempster, Laird & Rubin 1977; Winkler 2006).

Three sorts of pairs are told apart: one person, two strangers, two members of one household. All pairs of records
count, not those alone that blocking brought together: a pair that shares no key is taken for strangers. So blocking
does not distort what is learnt, as it does where EM sees blocked pairs only.

What is learnt and what is kept: `m` and both priors come from the candidates, `u` comes from pairs drawn at random. How
members of a household differ (`h`) is kept: it is much the same everywhere, and without it nothing says which of two
sorts of alike pairs is one person. The model at the start counts as so many pairs seen before, so that few data move
it little: of n pairs of one person, n / (n + SEEN_MATCHES) of `m` is what was seen. Of `u` it is, where the start lets
s sightings of a level between strangers be expected and a share t of sightings tells something new (sightings.py),
t s / (t s + SEEN_STRANGERS).

Labels are pairs whose answer stewards told. Such a pair counts with what was told in place of a chance. And it speaks
for the pairs that look like it, those that reached the same levels: of them as large a share is one person as of the
labels, the model's own chance counting as `SPEAKS` labels more. So a few hundred labels reach many pairs; and since
what is asked of stewards depends on how pairs look, not on what they are, asking about the doubtful ones only does not
distort how pairs of one person look on the whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import log2

from pipeline.identity.compare import adjusted, sums
from pipeline.identity.score import Model, Rates, level_of
from pipeline.identity.training.labels import Told
from pipeline.identity.training.patterns import NAMES, Pattern, Patterns, Telling

SEEN_MATCHES = 1000.0
"""Matches that the model at the start counts as, an attribute."""

SEEN_STRANGERS = 2.0
"""Sightings of each level between strangers that the model at the start counts as: the shape of a gamma prior."""

SEEN_ONE = 30.0
"""Pairs of one person, among as many pairs as its prior says, that the model at the start counts as."""

SEEN_PAIRS = 300.0
"""Pairs of one person that the model at the start counts as where their share among pairs is learnt."""

SPEAKS = 4.0
"""Labels that the model's own chance counts as where labels speak for pairs that look the same."""

_UNSEEN = 0.5
"""A level that fewer pairs than this reached, of one person and of strangers alike, was not seen."""

_ROUNDS = 200
_SETTLED = 1e-4
SCALED = frozenset(("exact", "nickname", "close", "sound", "part", "middle", "swapped"))
"""Levels of names whose `u` multiplies the share of people who bear the name: what names are like is not learnt."""


_Levels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen: the patterns of all candidates, and those of `sampled` pairs drawn at random from all `pairs`.

    `labels` tells of the pairs whose answer is known; they are no candidates. `telling`: how far sightings between
    strangers are news; all of those of a level it leaves out.
    """

    candidates: Patterns
    random: Patterns
    sampled: int
    pairs: int
    labels: Mapping[Pattern, Told] = field(default_factory=dict)
    telling: Telling = field(default_factory=dict)

    def voices(self) -> dict[_Levels, Told]:
        """What was told of the pairs that reached the same levels."""
        found: defaultdict[_Levels, Told] = defaultdict(Told)
        for pattern, told in self.labels.items():
            found[pattern.levels] = found[pattern.levels].plus(told)
        return dict(found)


@dataclass(frozen=True, slots=True)
class Fit:
    """The model learnt; how many pairs it takes for one person, and for one household; how often it was gone over."""

    model: Model
    matches: float
    household_pairs: float
    rounds: int


def fit(observed: Observed, start: Model) -> Fit:
    """Maximise the posterior of rates and priors. Deterministic; `version` of the model is that of the start."""
    found, voices = Fit(start, 0.0, 0.0, 0), observed.voices()
    while found.rounds < _ROUNDS:
        before, found = found, _step(observed, voices, found, start)
        if abs(found.matches - before.matches) <= _SETTLED * max(1.0, found.matches):
            break
    return found


def chances(found: tuple[float, float]) -> tuple[float, float, float]:
    """Probabilities of one person, strangers, one household from the log2 odds against the latter two."""
    strangers, household = (2.0 ** -max(-500.0, min(500.0, odds)) for odds in found)
    total = 1.0 + strangers + household
    return 1.0 / total, strangers / total, household / total


def _swayed(one: float, home: float, told: Told) -> tuple[float, float]:
    """The chances of one person and of one household after what was told of pairs that look the same."""
    said = told.one + told.two + SPEAKS
    swayed = (told.one + SPEAKS * one) / said
    return swayed, home * (1.0 - swayed) / (1.0 - one) if one < 1.0 else 0.0


def _counts() -> defaultdict[str, defaultdict[str, float]]:
    return defaultdict(lambda: defaultdict(float))


def _expected(
    observed: Observed, voices: Mapping[_Levels, Told], model: Model
) -> Iterator[tuple[Pattern, float, float]]:
    """For each pattern how many pairs it is expected to be one person, and one household: candidates, then labels."""
    for pattern, pairs in observed.candidates.items():
        one, _, home = chances(sums(adjusted(pattern.weighed(model), model), model))
        if told := voices.get(pattern.levels):
            one, home = _swayed(one, home, told)
        yield pattern, one * pairs, home * pairs
    for pattern, told in observed.labels.items():
        _, apart, home = chances(sums(adjusted(pattern.weighed(model), model), model))
        yield pattern, told.one, told.two * home / (apart + home)


def _step(observed: Observed, voices: Mapping[_Levels, Told], so_far: Fit, start: Model) -> Fit:
    model = so_far.model
    matched, strange = _counts(), _counts()
    matches = household = 0.0
    for pattern, one, home in _expected(observed, voices, model):
        matches += one
        household += home
        for attribute, level in pattern.levels:
            matched[attribute][level] += one
    for pattern, pairs in observed.random.items():
        _, apart, _ = chances(sums(adjusted(pattern.weighed(model), model), model))
        for attribute, level in pattern.levels:
            strange[attribute][level] += apart * pairs
    rates = {
        attribute: _rates(attribute, before, matched[attribute], strange[attribute], observed.telling)
        for attribute, before in start.rates.items()
    }
    strangers = max(0.0, observed.pairs - matches - household)
    found = replace(
        start,
        prior=_odds(matches, strangers, SEEN_ONE, start.prior),
        household_prior=_odds(matches, household, SEEN_PAIRS, start.household_prior),
        rates=rates,
        levels={a: {name: level_of(a, name, r) for name, r in of.items()} for a, of in rates.items()},
    )
    return Fit(found, matches, household, so_far.rounds + 1)


def _odds(one: float, other: float, seen: float, before: float) -> float:
    """log2 of `one` to `other`, `seen` more of the former at the odds of before."""
    return log2((one + seen) / (other + seen * 2.0**-before))


def _rates(
    attribute: str,
    before: Mapping[str, Rates],
    matched: Mapping[str, float],
    strange: Mapping[str, float],
    telling: Telling,
) -> dict[str, Rates]:
    """The rates of one attribute; those it had where nothing was seen of it."""
    seen, apart = sum(matched.values()), sum(strange.values())
    shipped = sum(r.m for r in before.values())
    found = {}
    for level, r in before.items():
        m, u = r.m, r.u
        if seen:
            m = (matched.get(level, 0.0) + SEEN_MATCHES * r.m) / (seen + SEEN_MATCHES * shipped)
        if apart and not (attribute in NAMES and level in SCALED):
            news = telling.get((attribute, level), 1.0)
            u = (news * strange.get(level, 0.0) + SEEN_STRANGERS) / (news * apart + SEEN_STRANGERS / r.u)
            if max(matched.get(level, 0.0), strange.get(level, 0.0)) < _UNSEEN:
                u = (
                    r.u * m / r.m
                )  # its weight is kept: that nobody here writes initials makes them no evidence
        found[level] = Rates(m, u, r.h)
    return found
