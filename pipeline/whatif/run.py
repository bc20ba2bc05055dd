"""Two configurations over the same records: each compares, clusters, and is asked for chances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from pipeline.identity import scratch
from pipeline.identity.compare import compare, side
from pipeline.identity.explain.weighing import Configuration
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, Edge, Partition
from pipeline.identity.policy import Policy
from pipeline.identity.score import bits
from pipeline.identity.twins import HoldersCompared
from pipeline.progress import Progress, watched

Pair = tuple[Id, Id]


@dataclass(frozen=True, slots=True)
class Run:
    """What a configuration makes of the records.

    `partition` is what it would decide; `unaided` what it would decide had no steward ever said anything. `expected`
    is the sum of its chances over the pairs that either configuration compares, `records` what it weighs them by.
    """

    by: Configuration
    records: scratch.KeyedRecords
    pairs: frozenset[Pair]
    partition: Partition
    unaided: Partition
    edges: tuple[Edge, ...]
    expected: float
    judge: Judge


class Judge:
    """The chance that two records are one person, by one configuration, unless a steward said it. Remembers, and knows
    those of `edges`."""

    def __init__(
        self,
        records: scratch.KeyedRecords,
        by: Configuration,
        said: Mapping[Pair, float],
        edges: Iterable[Edge] = (),
    ) -> None:
        self._records, self._by, self._said = records, by, said
        self._known = {(edge.low, edge.high): edge.comparison.confidence for edge in edges}

    def chance(self, low: Id, high: Id) -> float:
        """The chance of a pair, compared or not."""
        pair = (low, high)
        if (stated := self._said.get(pair)) is not None:
            return stated
        if pair not in self._known:
            a, b = (side((self._records[r][0],)) for r in pair)
            # without levels, which nobody asks for here
            self._known[pair] = compare(a, b, self._by.model, self._by.policy, inf).confidence
        return self._known[pair]


def run_both(
    records: scratch.KeyedRecords,
    constraints: Sequence[Constraint],
    decisions: Sequence[Constraint],
    active: Configuration,
    other: Configuration,
    progress: Progress,
) -> tuple[Run, Run]:
    """Both configurations over the records: `constraints` bind, `decisions` are what stewards said of chances.

    Where the two compare alike, every pair is compared once.
    """
    alike = compare_alike(active, other)
    first = scratch.weighed(records, active.policy)
    weighed = (first, first if alike else scratch.weighed(records, other.policy))
    pairs = [
        scratch.candidate_pairs(r, by.policy, constraints)
        for r, by in zip(weighed, (active, other), strict=True)
    ]
    union = pairs[0] | pairs[1]
    said = stated(decisions)
    least = min(active.policy.review, other.policy.review)
    runs: list[Run] = []
    for n, (by, step) in enumerate(((active, "compare"), (other, "compare anew"))):
        if runs and alike:
            edges, expected, judge = runs[0].edges, runs[0].expected, runs[0].judge
            progress(step, len(union), len(union))
        else:
            found = _Compared(weighed[n], by, said, least if alike else by.policy.review)
            edges, expected = found.over(watched(sorted(union), step, len(union), progress))
            judge = Judge(weighed[n], by, said, edges)
        counting = [
            e for e in edges if e.comparison.confidence >= by.policy.review and (e.low, e.high) in pairs[n]
        ]
        partition = scratch.partition(weighed[n], counting, constraints, *by)
        unaided = scratch.partition(weighed[n], counting, (), *by) if constraints else partition
        runs.append(Run(by, weighed[n], pairs[n], partition, unaided, edges, expected, judge))
    return runs[0], runs[1]


class _Compared:
    """Compares pairs, keeps the edges of at least some confidence, and sums up all chances."""

    def __init__(
        self, records: scratch.KeyedRecords, by: Configuration, said: Mapping[Pair, float], least: float
    ) -> None:
        self._by, self._said, self._least = by, said, least
        self._sides = {r: side((record,)) for r, (record, _) in records.items()}

    def over(self, pairs: Iterable[Pair]) -> tuple[tuple[Edge, ...], float]:
        """The edges in the order of the pairs, and the sum."""
        sides, (model, policy), floor = self._sides, self._by, bits(self._least)
        edges, expected = [], 0.0
        for low, high in pairs:
            found = compare(sides[low], sides[high], model, policy, floor)
            expected += self._said.get((low, high), found.confidence)
            if found.confidence >= self._least:
                edges.append(Edge(low, high, found))
        return tuple(edges), expected


def compare_alike(one: Configuration, other: Configuration) -> bool:
    """Whether two configurations make the same of any pair of records: they differ in thresholds and limits at most."""
    if one.model is not other.model and one.model.version != other.model.version:
        return False
    return _comparing(one.policy) == _comparing(other.policy)


def _comparing(policy: Policy) -> Policy:
    """The policy without what no comparison asks for."""
    return replace(
        policy,
        version="",
        auto_merge=0.0,
        review=0.0,
        neighbourhood_limit=0,
        split_limit=0,
        holders_compared=HoldersCompared(),
        source_trust={},
        default_source_trust=0,
    )


def stated(decisions: Sequence[Constraint]) -> dict[Pair, float]:
    """The pairs that stewards decided: 1 within a must-link, 0 across a cannot-link, which outweighs it."""
    found: dict[Pair, float] = {}
    for constraint in sorted(decisions, key=lambda c: c.kind, reverse=True):
        must = constraint.kind is ConstraintKind.MUST_LINK
        both = constraint.left | constraint.right
        for one in both if must else constraint.left:
            for other in both if must else constraint.right:
                if one != other:
                    found[min(one, other), max(one, other)] = float(must)
    return found
