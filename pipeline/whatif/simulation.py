"""What another policy or model would change, and how right either is likely to be. Pure but for progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from pipeline.identity.difference import Change, ChangeKind, Cluster, difference
from pipeline.identity.estimate import Agreement, Estimate, agreement, estimate
from pipeline.identity.explain.weighing import Configuration
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, Edge
from pipeline.identity.scratch import KeyedRecords
from pipeline.progress import Progress, silent
from pipeline.whatif.run import Run, run_both

ReviewPair = frozenset[Cluster]
"""The two customers a steward is asked about."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the store: the customers, and of the pairs in review their best edge's ends and the reason."""

    clusters: tuple[Cluster, ...]
    reviews: tuple[tuple[Id, Id, str], ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """The review queue before and after by reason code, and how many pairs of customers stay, come and go."""

    before: Mapping[str, int]
    after: Mapping[str, int]
    stay: int
    come: int
    go: int


@dataclass(frozen=True, slots=True)
class Judged:
    """Both partitions by the chances of one model."""

    by: str
    before: Estimate
    after: Estimate


@dataclass(frozen=True, slots=True)
class Simulation:
    """The outcome. `before` is what stands, or what the active configuration makes of records that stand nowhere.

    `drift` counts the customers that stand otherwise than the active configuration would have them: what stands was
    decided by others, or before more was known. `judged` has one entry where both judge alike.
    """

    active: Run
    other: Run
    before: tuple[Cluster, ...]
    changes: tuple[Change, ...]
    drift: int
    queue: Queue
    judged: tuple[Judged, ...]
    agreement: tuple[Agreement, Agreement]

    @property
    def after(self) -> tuple[Cluster, ...]:
        """The customers there would be."""
        return self.other.partition.clusters

    @property
    def records(self) -> KeyedRecords:
        """What both ran over, as the active configuration weighs it."""
        return self.active.records

    def touched(self) -> int:
        """How many customers of today it touches."""
        return sum(len(change.before) for change in self.changes)

    def of_kind(self, kind: ChangeKind) -> list[Change]:
        """The changes of a kind."""
        return [change for change in self.changes if change.kind is kind]


def simulate(
    records: KeyedRecords,
    constraints: Sequence[Constraint],
    decisions: Sequence[Constraint],
    active: Configuration,
    other: Configuration,
    standing: Standing | None = None,
    progress: Progress = silent,
) -> Simulation:
    """Run both configurations over the records and tell them apart.

    `constraints` bind either; `decisions` are what stewards ever decided: it settles chances, and agreement with it is
    measured.
    """
    mine, its = run_both(records, constraints, decisions, active, other, progress)
    if standing is None:
        standing = Standing(mine.partition.clusters, _refused(mine))
    changes = difference(standing.clusters, its.partition.clusters)
    drift = difference(standing.clusters, mine.partition.clusters)
    return Simulation(
        active=mine,
        other=its,
        before=standing.clusters,
        changes=changes,
        drift=sum(len(change.before) for change in drift),
        queue=_queue(standing, its),
        judged=_judged(mine, its, standing.clusters),
        agreement=(
            agreement(decisions, mine.unaided.clusters),
            agreement(decisions, its.unaided.clusters),
        ),
    )


def _judged(mine: Run, its: Run, before: Collection[Cluster]) -> tuple[Judged, ...]:
    compared = mine.pairs | its.pairs
    by_mine, by_its = (
        Judged(
            name,
            estimate(before, compared, run.expected, run.judge.chance),
            estimate(its.partition.clusters, compared, run.expected, run.judge.chance),
        )
        for run, name in ((mine, "active"), (its, "other"))
    )
    alike = (by_mine.before, by_mine.after) == (by_its.before, by_its.after)
    return (by_mine,) if alike else (by_mine, by_its)


def _refused(run: Run) -> tuple[tuple[Id, Id, str], ...]:
    return tuple((edge.low, edge.high, reason) for edge, reason in run.partition.refused)


def _queue(standing: Standing, its: Run) -> Queue:
    before = _asked(standing.reviews, standing.clusters)
    after = _asked(_refused(its), its.partition.clusters)
    return Queue(
        before=dict(Counter(before.values())),
        after=dict(Counter(after.values())),
        stay=len(before.keys() & after.keys()),
        come=len(after.keys() - before.keys()),
        go=len(before.keys() - after.keys()),
    )


def _asked(reviews: Iterable[tuple[Id, Id, str]], clusters: Iterable[Cluster]) -> dict[ReviewPair, str]:
    """The reason by the two customers; a review of records that are not there is left out."""
    at = {record: members for members in clusters for record in members}
    return {
        frozenset((at[low], at[high])): str(reason)
        for low, high, reason in reviews
        if low in at and high in at
    }


def deciding(simulation: Simulation) -> dict[Change, Edge]:
    """For each change the evidence that decides it, where there is any.

    Of records that come together the weightiest edge that joins them in the other configuration; of records that are
    only parted the weightiest edge that tied them in the active one.
    """
    at = {record: change for change in simulation.changes for record in change.records}
    before = _numbers(change.before for change in simulation.changes)
    after = _numbers(change.after for change in simulation.changes)
    touched = [e for e in simulation.active.edges if e.low in at and e.high in at]
    parting = [e for e in touched if before[e.low] == before[e.high] and after[e.low] != after[e.high]]
    parting.sort(key=lambda e: (-e.comparison.weight, e.low, e.high))
    joining = (  # in descending weight
        e for e in simulation.other.partition.joined if e.low in at and before[e.low] != before[e.high]
    )
    found: dict[Change, Edge] = {}
    for edge in chain(joining, parting):
        found.setdefault(at[edge.low], edge)
    return found


def _numbers(sides: Iterable[Iterable[Cluster]]) -> dict[Id, int]:
    clusters = (members for side in sides for members in side)
    return {record: n for n, members in enumerate(clusters) for record in members}
