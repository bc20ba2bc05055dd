"""Connected components of scored pairs, at a given threshold or at the one that proves best once the truth is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from bench.truth import Score


class ScoredPair(NamedTuple):
    """Two items and the log2 odds that they are one."""

    low: int
    high: int
    weight: float


class _Forest:
    """Union-find (path halving, by size) that keeps count of the pairs put together, the true ones among them."""

    def __init__(self, truth: Mapping[int, str]) -> None:
        self._parent = {item: item for item in truth}
        self._entities = {item: Counter((entity,)) for item, entity in truth.items()}
        self._size = dict.fromkeys(truth, 1)
        self.together = 0
        self.right = 0

    def root(self, item: int) -> int:
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, one: int, other: int) -> None:
        large, small = self.root(one), self.root(other)
        if large == small:
            return
        if self._size[large] < self._size[small]:
            large, small = small, large
        self.together += self._size[large] * self._size[small]
        mine, theirs = self._entities[large], self._entities.pop(small)
        self.right += sum(n * mine[entity] for entity, n in theirs.items())
        mine.update(theirs)
        self._size[large] += self._size.pop(small)
        self._parent[small] = large


def clusters_at(pairs: Iterable[ScoredPair], truth: Mapping[int, str], threshold: float) -> dict[int, int]:
    """The cluster of each item where pairs of at least `threshold` are joined. Of `truth` only the items count."""
    forest = _Forest(truth)
    for pair in pairs:
        if pair.weight >= threshold:
            forest.join(pair.low, pair.high)
    return {item: forest.root(item) for item in truth}


def best_threshold(pairs: Sequence[ScoredPair], truth: Mapping[int, str]) -> float:
    """The weight at which the connected components have the best pairwise F1; infinite where no pair helps.

    Every threshold that makes a difference is tried: from the highest weight down, clusters only ever grow.
    """
    forest = _Forest(truth)
    belong = sum(n * (n - 1) // 2 for n in Counter(truth.values()).values())
    best, found = 0.0, float("inf")
    by_weight = sorted(pairs, key=lambda pair: -pair.weight)
    for weight, equal in groupby(by_weight, key=lambda pair: pair.weight):
        for pair in equal:
            forest.join(pair.low, pair.high)
        if forest.together and belong:
            f1 = Score(forest.right / forest.together, forest.right / belong).f1
            if f1 > best:
                best, found = f1, weight
    return found
