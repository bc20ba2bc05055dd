"""How well a partition agrees with the truth: pairwise and B-cubed precision, recall and F1 (Bagga & Baldwin 1998)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

_Item = TypeVar("_Item", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and their harmonic mean, each in [0, 1]."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """2PR / (P + R); 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def _pairs(sizes: Iterable[int]) -> int:
    return sum(n * (n - 1) // 2 for n in sizes)


def pairwise(found: Mapping[_Item, Hashable], truth: Mapping[_Item, Hashable]) -> Score:
    """Over all pairs of items: of those put together how many belong together, and the other way round.

    Both map each item to its cluster and must have the same items (ValueError). No pairs at all count as 1.
    """
    _same_items(found, truth)
    both = _pairs(Counter((found[i], truth[i]) for i in truth).values())
    put, belong = _pairs(Counter(found.values()).values()), _pairs(Counter(truth.values()).values())
    return Score(both / put if put else 1.0, both / belong if belong else 1.0)


def b_cubed(found: Mapping[_Item, Hashable], truth: Mapping[_Item, Hashable]) -> Score:
    """The mean over items of the share of an item's cluster that is its own entity, and the other way round."""
    _same_items(found, truth)
    if not truth:
        return Score(1.0, 1.0)
    both = Counter((found[i], truth[i]) for i in truth)
    clusters, entities = Counter(found.values()), Counter(truth.values())
    precision = sum(n * n / clusters[cluster] for (cluster, _), n in both.items())
    recall = sum(n * n / entities[entity] for (_, entity), n in both.items())
    return Score(precision / len(truth), recall / len(truth))


def pairs_found(candidates: Iterable[tuple[_Item, _Item]], truth: Mapping[_Item, Hashable]) -> float:
    """The share of true pairs among candidate pairs (each given once)."""
    belong = _pairs(Counter(truth.values()).values())
    return sum(truth[a] == truth[b] for a, b in candidates) / belong if belong else 1.0


def groups(assigned: Mapping[_Item, Hashable]) -> frozenset[frozenset[_Item]]:
    """The clusters as sets of items, whatever they are called: equal for equal partitions."""
    found: defaultdict[Hashable, set[_Item]] = defaultdict(set)
    for item, cluster in assigned.items():
        found[cluster].add(item)
    return frozenset(frozenset(members) for members in found.values())


def _same_items(found: Mapping[_Item, Hashable], truth: Mapping[_Item, Hashable]) -> None:
    if found.keys() != truth.keys():
        odd = len(found.keys() ^ truth.keys())
        raise ValueError(f"{odd} items are in only one of the two partitions")
