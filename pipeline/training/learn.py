"""A match model from records alone: names counted, pairs compared, rates and priors by EM (pipeline/identity/training).

The outcome depends on the records and the seed, on nothing else: not on the order in which the records come.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from pipeline.configuration import parse_model
from pipeline.identity import scratch
from pipeline.identity.compare import Side, side
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord, Trait
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.training import em, names, patterns
from pipeline.identity.training.labels import Labels, Pair, by_pattern
from pipeline.identity.training.sightings import telling
from pipeline.progress import Progress, silent, watched
from pipeline.training.model_file import Trained, model_text

ENOUGH = 100.0
"""Pairs of one person that have to be expected for their rates to be worth learning."""


_IN_FULL = 500


def in_full(policy: Policy) -> Policy:
    """The policy with all pairs of those who share an identifier, up to 500 of them: rates are those of all pairs, and
    not of the few by which large customers are held together."""
    return replace(policy, holders_compared=replace(policy.holders_compared, all=_IN_FULL))


@dataclass(frozen=True, slots=True)
class Seen:
    """Records compared: all that EM looks at. `start` has the names of the records, `shipped` those it came with."""

    shipped: Model
    start: Model
    policy: Policy
    sides: Mapping[Id, Side]
    candidates: patterns.Patterns
    drawn: patterns.Patterns
    sampled: int
    telling: patterns.Telling
    labels: Labels

    def observed(self, without: Collection[Pair] = ()) -> em.Observed:
        """What EM is given; `without` are labels left out."""
        given = {pair: label for pair, label in self.labels.items() if pair not in without}
        told = by_pattern(given, self.sides, self.start, self.policy)
        pairs = len(self.sides) * (len(self.sides) - 1) // 2
        return em.Observed(self.candidates, self.drawn, self.sampled, pairs, told, self.telling)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt: the model as its file gives it, and the text of that file, whose name is the model's version.

    `matches` and `household_pairs` are how many pairs it takes for one person and for one household.
    """

    model: Model
    text: str
    seen: Seen
    matches: float
    household_pairs: float

    @property
    def compared(self) -> int:
        """How many pairs blocking brought together, those with a label not among them."""
        return round(sum(self.seen.candidates.values()))

    @property
    def is_enough(self) -> bool:
        """False where `m` is still the start's: too few pairs seem to be one person."""
        return self.matches >= ENOUGH


def learn(
    records: scratch.KeyedRecords,
    start: Model,
    policy: Policy,
    seed: int = 1,
    *,
    labels: Labels | None = None,
    sampled: int = 100_000,
    name: str = "trained",
    progress: Progress = silent,
) -> Learnt:
    """Learn names, `m`, `u` and the priors from the records, starting from a model.

    `labels` are pairs whose answer is known (pipeline/identity/training/labels.py). `sampled` pairs drawn at random by
    `seed` tell of strangers; all pairs where there are no more. `name` begins the version of the model. Progress has
    the steps `compare` and `sample`. Memory grows with the candidate pairs.
    """
    seen = look(records, start, policy, seed, labels=labels, sampled=sampled, progress=progress)
    return learn_from(seen, {"seed": seed}, name)


def look(
    records: scratch.KeyedRecords,
    start: Model,
    policy: Policy,
    seed: int,
    *,
    labels: Labels | None = None,
    sampled: int = 100_000,
    progress: Progress = silent,
) -> Seen:
    """Compare the candidates and a sample. Raises nothing of its own; what `learn` says of its arguments holds."""
    given = labels or {}
    kept = scratch.weighed({r: records[r] for r in sorted(records)}, policy)
    known = with_names([record for record, _ in kept.values()], start)
    sides = {r: side((record,)) for r, (record, _) in kept.items()}
    pairs = sorted(scratch.candidate_pairs(kept, in_full(policy)) - given.keys())
    drawn = sample(list(kept), sampled, seed)
    compared = patterns.shown(watched(pairs, "compare", len(pairs), progress), sides, known, policy)
    candidates = patterns.count(compared)
    strangers = list(patterns.shown(watched(drawn, "sample", len(drawn), progress), sides, known, policy))
    return Seen(
        start,
        known,
        policy,
        sides,
        candidates,
        patterns.count(strangers),
        len(drawn),
        telling(strangers, known),
        given,
    )


def learn_from(seen: Seen, options: Trained, name: str, without: Collection[Pair] = ()) -> Learnt:
    """Learn from what was seen; `without` are labels left out. `options` are told in the file."""
    found = em.fit(seen.observed(without), seen.start)
    trained: Trained = {
        "start": seen.shipped.version,
        "policy": seen.policy.version,
        "records": len(seen.sides),
        "compared": round(sum(seen.candidates.values())),
        "sampled": seen.sampled,
        "labels": len(seen.labels.keys() - without),
        "matches": round(found.matches, 1),
        "rounds": found.rounds,
        **options,
    }
    text = model_text(found.model, name, trained)
    return Learnt(parse_model(text, "the model learnt"), text, seen, found.matches, found.household_pairs)


def with_names(records: Iterable[IdentityRecord], start: Model) -> Model:
    """The model with names as common as they are among the records."""
    given: list[str] = []
    family: list[str] = []
    for record in records:
        for trait, found in ((Trait.FIRST_NAME, given), (Trait.LAST_NAME, family)):
            if value := record.traits.get(trait):
                found.append(value)
    return replace(
        start,
        given_names=names.statistics(given, start.given_names),
        surnames=names.statistics(family, start.surnames),
    )


def sample(ids: Sequence[Id], count: int, seed: int) -> list[tuple[Id, Id]]:
    """`count` pairs (low, high) of sorted ids drawn at random, a pair more than once maybe; all pairs where no more."""
    if len(ids) * (len(ids) - 1) // 2 <= count:
        return list(combinations(ids, 2))
    draw = random.Random(seed)  # noqa: S311  # a sample, not a secret
    drawn = (draw.sample(range(len(ids)), 2) for _ in range(count))
    return [(ids[min(a, b)], ids[max(a, b)]) for a, b in drawn]
