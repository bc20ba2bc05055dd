"""Changes as people look at them: who is meant, masked, and the evidence that decides by either configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.codes import ReasonCode
from pipeline.identity.difference import Change, ChangeKind, Cluster
from pipeline.identity.explain.content import ATTRIBUTES, values
from pipeline.identity.explain.explanation import Show, Weighing
from pipeline.identity.explain.weighing import weigh
from pipeline.identity.ids import Id
from pipeline.identity.model import Edge
from pipeline.whatif.simulation import Simulation, deciding

MOST_RECORDS = 6
"""Of a larger customer so many records are shown."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A record: what it is called, the customer it would belong to (by number), and its masked values by attribute.

    `decides`: it is one of the pair whose evidence decides.
    """

    name: str
    after: int
    decides: bool
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of today: what it is called, and its records, or the first of them."""

    name: str
    size: int
    records: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The pair that decides, by either configuration, and why it does not join them in the other, where it does not."""

    left: str
    right: str
    active: Weighing
    other: Weighing
    refusal: ReasonCode | None


@dataclass(frozen=True, slots=True)
class Example:
    """A change to look at. Without evidence it rests on a steward's must-link, or on a decision of other versions."""

    kind: ChangeKind
    before: tuple[Customer, ...]
    sizes_after: tuple[int, ...]
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Names:
    """What records and the customers they stand in are called; a customer that stands nowhere has no name."""

    record: Callable[[Id], str]
    customer: Callable[[Cluster], str]


class Examples:
    """Chooses and shows changes: the doubtful first, of merges and splits alike."""

    def __init__(self, simulation: Simulation, names: Names, show: Show) -> None:
        self._simulation, self._names, self._show = simulation, names, show
        self._edges = deciding(simulation)
        self._refusals = _Refusals(simulation)

    def of_kind(self, kind: ChangeKind, most: int) -> tuple[Example, ...]:
        """Up to so many changes of a kind, those first whose evidence is nearest to the threshold that decides."""
        changes = sorted(self._simulation.of_kind(kind), key=self._doubt)
        return tuple(self._example(change) for change in changes[:most])

    def _doubt(self, change: Change) -> tuple[float, Id]:
        edge = self._edges.get(change)
        policy = self._simulation.other.by.policy
        lowest = min(change.before[0])
        if edge is None:
            return float("inf"), lowest
        chance = self._simulation.other.judge.chance(edge.low, edge.high)
        return abs(chance - policy.auto_merge), lowest

    def _example(self, change: Change) -> Example:
        after = {record: n for n, members in enumerate(change.after, start=1) for record in members}
        edge = self._edges.get(change)
        pair = frozenset((edge.low, edge.high)) if edge else Cluster()
        return Example(
            kind=change.kind,
            before=tuple(self._customer(members, after, pair) for members in change.before),
            sizes_after=tuple(len(members) for members in change.after),
            evidence=self._evidence(edge),
        )

    def _customer(self, members: Cluster, after: Mapping[Id, int], pair: Cluster) -> Customer:
        chosen = sorted(members, key=lambda r: (r not in pair, after[r], r))[:MOST_RECORDS]
        return Customer(
            self._names.customer(members),
            len(members),
            tuple(
                Shown(self._names.record(r), after[r], r in pair, self._values(r))
                for r in sorted(chosen, key=lambda r: (after[r], r))
            ),
        )

    def _values(self, record: Id) -> tuple[tuple[str, str], ...]:
        content = self._simulation.records[record][0]
        return tuple(
            (attribute, self._show(attribute, value))
            for attribute in ATTRIBUTES
            for value in values([content], attribute)
        )

    def _evidence(self, edge: Edge | None) -> Evidence | None:
        if edge is None:
            return None
        simulation = self._simulation
        now, then = (
            weigh([run.records[edge.low][0]], [run.records[edge.high][0]], run.by, self._show)
            for run in (simulation.active, simulation.other)
        )
        left, right = self._names.record(edge.low), self._names.record(edge.high)
        return Evidence(left, right, now, then, self._refusals.of(edge))


class _Refusals:
    """Why the other configuration asks a steward about two customers instead of joining them."""

    def __init__(self, simulation: Simulation) -> None:
        partition = simulation.other.partition
        self._at = {record: n for n, members in enumerate(partition.clusters) for record in members}
        self._reasons = {self._pair(edge): reason for edge, reason in partition.refused}

    def _pair(self, edge: Edge) -> frozenset[int]:
        return frozenset((self._at[edge.low], self._at[edge.high]))

    def of(self, edge: Edge) -> ReasonCode | None:
        """The reason of the customers of an edge's ends; None where nobody is asked."""
        return self._reasons.get(self._pair(edge))


def examples(
    simulation: Simulation, names: Names, show: Show, most: int
) -> Mapping[ChangeKind, Sequence[Example]]:
    """Up to so many of each kind."""
    chosen = Examples(simulation, names, show)
    return {kind: chosen.of_kind(kind, most) for kind in ChangeKind}
