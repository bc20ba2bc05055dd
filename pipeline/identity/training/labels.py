"""What stewards decided, as pairs of records whose answer is known: labels to learn from and to be judged by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from pipeline.identity.compare import Side, levels
from pipeline.identity.graph import connected
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.training.patterns import Pattern, pattern

MOST_PAIRS = 100
"""Pairs of records looked at of one decision about two large customers: the lowest ids, which are keyed hashes, so a
random sample."""

Pair = tuple[Id, Id]


class Label(NamedTuple):
    """Whether a pair is one person. The pairs of one decision share a `weight` of 1: a steward said it once."""

    is_one: bool
    weight: float


class Told(NamedTuple):
    """How much was said for one person and how much for two, in decisions."""

    one: float = 0.0
    two: float = 0.0

    def plus(self, other: Told) -> Told:
        """Both together."""
        return Told(self.one + other.one, self.two + other.two)


Labels = Mapping[Pair, Label]
"""By the pair of records, the lower id first."""


def labels(decisions: Iterable[Constraint], known: Collection[Id]) -> dict[Pair, Label]:
    """The labels in decisions on known records. Of two decisions on one pair the first counts: put what stands first.

    Constraints say it, those of rollbacks and of answered reviews among them.
    """
    found: dict[Pair, Label] = {}
    for decision in decisions:
        pairs = list(islice(_pairs(decision, known), MOST_PAIRS))
        for pair in pairs:
            found.setdefault(pair, Label(decision.kind is ConstraintKind.MUST_LINK, 1.0 / len(pairs)))
    return dict(sorted(found.items()))


def _pairs(decision: Constraint, known: Collection[Id]) -> Iterator[Pair]:
    left, right = (sorted(r for r in side if r in known) for side in (decision.left, decision.right))
    return ((min(a, b), max(a, b)) for a in left for b in right if a != b)


def by_pattern(given: Labels, sides: Mapping[Id, Side], model: Model, policy: Policy) -> dict[Pattern, Told]:
    """What was said of the pairs that show each pattern."""
    said: defaultdict[Pattern, Told] = defaultdict(Told)
    for (low, high), label in given.items():
        shown = pattern(levels(sides[low], sides[high], model, policy), model)
        one = label.weight if label.is_one else 0.0
        said[shown] = said[shown].plus(Told(one, label.weight - one))
    return dict(said)


def entities(given: Labels) -> list[frozenset[Id]]:
    """The records that labels tell of, in groups no label reaches across: what is learnt from one says nothing of
    another."""
    return connected(sorted({r for pair in given for r in pair}), given)
