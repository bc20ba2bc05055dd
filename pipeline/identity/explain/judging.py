"""The verdict on two sides: what clustering makes of them where each is held together."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from pipeline.codes import ReasonCode
from pipeline.identity.cluster import cluster
from pipeline.identity.compare import compare, side
from pipeline.identity.explain.explanation import Verdict
from pipeline.identity.explain.weighing import Configuration, Records
from pipeline.identity.ids import Id
from pipeline.identity.model import Comparison, Constraint, ConstraintKind, Edge, IdentifierType, Partition

_NAMES_ONE = frozenset(t.value for t in IdentifierType) | {"national_id"}


class Judgement(NamedTuple):
    """The verdict, why, the best edge between the sides, and the sides compared as wholes."""

    verdict: Verdict
    reason: ReasonCode
    best: Edge
    wholes: Comparison


def edges_between(
    left: Records, right: Records, by: Configuration, only: Container[tuple[Id, Id]] | None = None
) -> list[Edge]:
    """Every record of one side compared with each of the other, weightiest first. `only`: these pairs, low first."""
    theirs = [(r.record_id, side((r,))) for r in right]
    edges = []
    for record in left:
        mine = side((record,))
        for record_id, other in theirs:
            low, high = sorted((record.record_id, record_id))
            if only is None or (low, high) in only:
                edges.append(Edge(low, high, compare(mine, other, by.model, by.policy)))
    return sorted(edges, key=lambda e: (-e.comparison.weight, e.low, e.high))


def judge(
    left: Records,
    right: Records,
    constraints: Sequence[Constraint],
    by: Configuration,
    edges: Sequence[Edge] | None = None,
) -> Judgement:
    """The verdict on two sides without a record in common. `edges` are those to go by, weightiest first; None: all."""
    between = edges_between(left, right, by) if edges is None else edges
    held = [Constraint(ConstraintKind.MUST_LINK, _ids(s), frozenset()) for s in (left, right)]
    whole = {r.record_id: r for r in (*left, *right)}
    partition = cluster(whole, between, (*held, *constraints), by.model, by.policy)
    verdict, reason = _verdict(partition, _ids(left), _ids(right), constraints)
    return Judgement(verdict, reason, between[0], compare(side(left), side(right), by.model, by.policy))


def _verdict(
    partition: Partition, left: frozenset[Id], right: frozenset[Id], constraints: Iterable[Constraint]
) -> tuple[Verdict, ReasonCode]:
    if any(not c.isdisjoint(left) and not c.isdisjoint(right) for c in partition.clusters):
        return Verdict.MERGE, _joined_by(partition.joined)
    if partition.refused:
        return Verdict.REVIEW, partition.refused[0][1]
    parted = any(c.kind is ConstraintKind.CANNOT_LINK and stands_between(c, left, right) for c in constraints)
    return Verdict.APART, ReasonCode.CANNOT_LINK if parted else ReasonCode.SCORE_BELOW_REVIEW


def stands_between(constraint: Constraint, left: frozenset[Id], right: frozenset[Id]) -> bool:
    """True where the constraint names records of both sides, one set on each."""
    return any(
        not one.isdisjoint(left) and not other.isdisjoint(right)
        for one, other in ((constraint.left, constraint.right), (constraint.right, constraint.left))
    )


def _joined_by(joined: Sequence[Edge]) -> ReasonCode:
    if not joined:
        return ReasonCode.MUST_LINK
    levels = (level for edge in joined for level in edge.comparison.levels)
    exact = any(v.attribute in _NAMES_ONE and v.level in ("exact", "role") for v in levels)
    return ReasonCode.EXACT_MATCH if exact else ReasonCode.FUZZY_MATCH


def _ids(records: Records) -> frozenset[Id]:
    return frozenset(r.record_id for r in records)
