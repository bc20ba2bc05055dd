"""How right a partition is likely to be, told from probabilities alone, where nobody knows the truth.

Every pair of records has a chance of being one person: the model's confidence, or 1 and 0 where a steward said so. The
expected number of true pairs in a set of pairs is the sum of their chances. So, of a partition,

    precision = true pairs expected among those put together / pairs put together
    recall    = true pairs expected among those put together / true pairs expected there or among the pairs kept apart

A pair that others put together is judged by them as well: A and C, who have nothing in common, are as likely one
person as A is B and B is C. A pair within a cluster counts by its best chain of chances, multiplied.

What this cannot know: it believes the model, so it is as good as the model's calibration, and a model judges itself
kindly; pairs that blocking never brought together are missing, which flatters recall; a chain of chances takes them to
be independent, and what speaks against a cluster as a whole is not in it. Differences between two partitions judged by
the same model are worth more than the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from math import comb, fsum, sqrt

from pipeline.identity.difference import Cluster
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind

Chance = Callable[[Id, Id], float]
"""The chance that two records, the lower id first, are one person."""

MOST_MEMBERS = 80
"""Of a larger cluster so many records are looked at, and what they say of its pairs is taken for the whole."""

_Z = 1.959964
"""Standard deviations to either side that hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Pairs put together, the true ones expected among them, and the true ones expected among those kept apart."""

    together: int
    true_together: float
    true_apart: float

    @property
    def precision(self) -> float:
        """Share of the pairs put together that are expected to be true; 1 where there are none."""
        return self.true_together / self.together if self.together else 1.0

    @property
    def recall(self) -> float:
        """Share of the true pairs expected among those compared that are put together; 1 where there are none."""
        true = self.true_together + self.true_apart
        return self.true_together / true if true else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def estimate(
    clusters: Iterable[Cluster], compared: Collection[tuple[Id, Id]], expected: float, chance: Chance
) -> Estimate:
    """The estimate of a partition. `expected` is the sum of the chances of all `compared` pairs, together or apart."""
    together, true_together = 0, 0.0
    at: dict[Id, int] = {}
    for number, members in enumerate(clusters):
        if len(members) < 2:
            continue
        at |= dict.fromkeys(members, number)
        looked_at = _sample(members)
        own = {pair: chance(*pair) for pair in combinations(looked_at, 2)}
        pairs = comb(len(members), 2)
        together += pairs
        true_together += pairs / len(own) * _by_best_chains(looked_at, own)
    # of all that were compared and not of the sample: which pairs are compared may depend on their ids
    inside = fsum(chance(*pair) for pair in compared if at.get(pair[0], -1) == at.get(pair[1], -2))
    return Estimate(together, true_together, max(0.0, expected - inside))


def _sample(members: Cluster) -> list[Id]:
    """Records of a cluster, in the order of their ids: all, or some that no order of ids favours, always the same."""
    if len(members) <= MOST_MEMBERS:
        return sorted(members)
    return sorted(sorted(members, key=lambda record: blake2b(record).digest())[:MOST_MEMBERS])


def _by_best_chains(members: Sequence[Id], chances: dict[tuple[Id, Id], float]) -> float:
    """The sum over all pairs of the best product of chances on any chain between the two (Floyd 1962)."""
    if len(members) == 2:
        return chances[members[0], members[1]]
    count = range(len(members))
    best = [[0.0] * len(members) for _ in count]
    for i, j in combinations(count, 2):
        best[i][j] = best[j][i] = chances[members[i], members[j]]
    for via in count:
        onward = best[via]
        for row in best:
            first = row[via]
            if first:
                for j in count:
                    row[j] = max(row[j], first * onward[j])
    return sum(best[i][j] for i, j in combinations(count, 2))


@dataclass(frozen=True, slots=True)
class Agreement:
    """With how many of the decisions of stewards a partition agrees that was made without them."""

    agreeing: int
    decisions: int

    def interval(self) -> tuple[float, float]:
        """The share's 95 % interval; all of [0, 1] where nothing was decided."""
        return wilson(self.agreeing, self.decisions)


def wilson(found: float, of: float) -> tuple[float, float]:
    """The 95 % interval of a share, `found` of `of` (Wilson 1927); all of [0, 1] where there is none."""
    if not of:
        return 0.0, 1.0
    share = found / of
    middle = share + _Z * _Z / (2 * of)
    spread = _Z * sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of))
    scale = 1 + _Z * _Z / of
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def agreement(decisions: Iterable[Constraint], clusters: Iterable[Cluster]) -> Agreement:
    """Of decisions on two records or more that are in the clusters: must-links all in one, cannot-links all apart."""
    at = {record: n for n, members in enumerate(clusters) for record in members}
    agreeing = counted = 0
    for decision in decisions:
        left, right = ({at[r] for r in side if r in at} for side in (decision.left, decision.right))
        if not left or not right:
            continue
        counted += 1
        if decision.kind is ConstraintKind.MUST_LINK:
            agreeing += len(left | right) == 1
        else:
            agreeing += left.isdisjoint(right)
    return Agreement(agreeing, counted)
