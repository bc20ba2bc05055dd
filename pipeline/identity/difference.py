"""How two partitions of the same records differ, in the smallest groups that can be told apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from math import comb

from pipeline.identity.graph import connected
from pipeline.identity.ids import Id

Cluster = frozenset[Id]


class ChangeKind(StrEnum):
    """What happens to the customers of a change."""

    MERGE = "merge"
    SPLIT = "split"
    MIXED = "mixed"
    """Records move between customers: some part, some come together."""


@dataclass(frozen=True, slots=True)
class Change:
    """Clusters of one partition and of another that cover the same records, and no fewer of either do.

    Both are sorted by their lowest record, and they are never the same.
    """

    before: tuple[Cluster, ...]
    after: tuple[Cluster, ...]

    @property
    def kind(self) -> ChangeKind:
        """Several become one, one becomes several, or something of both."""
        if len(self.after) == 1:
            return ChangeKind.MERGE
        return ChangeKind.SPLIT if len(self.before) == 1 else ChangeKind.MIXED

    @property
    def records(self) -> Cluster:
        """The records it concerns."""
        return Cluster().union(*self.before)

    @property
    def pairs_joined(self) -> int:
        """How many pairs of records come together."""
        return pairs_in(self.after) - self._pairs_kept

    @property
    def pairs_parted(self) -> int:
        """How many pairs of records are torn apart."""
        return pairs_in(self.before) - self._pairs_kept

    @property
    def _pairs_kept(self) -> int:
        return pairs_in(one & other for one in self.before for other in self.after)


def pairs_in(clusters: Iterable[Cluster]) -> int:
    """How many pairs of records lie within one cluster."""
    return sum(comb(len(members), 2) for members in clusters)


def difference(before: Collection[Cluster], after: Collection[Cluster]) -> tuple[Change, ...]:
    """The changes that lead from one partition to another, sorted by their lowest record; none where they are equal.

    Every change stands alone: `applied` in any order and any selection, each leaves a partition. Raises ValueError
    where the two are not partitions of the same records.
    """
    stays = frozenset(before) & frozenset(after)
    gone = [members for members in before if members not in stays]
    come = [members for members in after if members not in stays]
    records = sorted(chain.from_iterable(gone))
    if records != sorted(chain.from_iterable(come)) or len(records) != len(set(records)):
        raise ValueError("only partitions of the same records can be compared")
    groups = connected(records, chain(gone, come))
    at = {record: n for n, group in enumerate(groups) for record in group}
    sides: list[defaultdict[int, list[Cluster]]] = [defaultdict(list), defaultdict(list)]
    for side, clusters in zip(sides, (gone, come), strict=True):
        for members in sorted(clusters, key=min):
            side[at[min(members)]].append(members)
    return tuple(Change(tuple(sides[0][n]), tuple(sides[1][n])) for n in range(len(groups)))


def applied(changes: Iterable[Change], partition: Iterable[Cluster]) -> frozenset[Cluster]:
    """The partition after the changes; each must concern clusters that are in it."""
    clusters = set(partition)
    for change in changes:
        clusters.difference_update(change.before)
        clusters.update(change.after)
    return frozenset(clusters)
