"""Why two sides are one customer or not: the pure whole of it."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.identity.explain.counterfactual import MOST_PAIRS, would_change
from pipeline.identity.explain.explanation import Show, SidesExplanation
from pipeline.identity.explain.judging import edges_between, judge
from pipeline.identity.explain.weighing import Configuration, Records, StoredComparison, weigh
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, Edge

_MOST_RECORDS = 44
"""Of sides with more pairs than MOST_PAIRS, so many records of either are compared: those with evidence first."""


def explain_sides(
    left: Records,
    right: Records,
    constraints: Sequence[Constraint],
    by: Configuration,
    show: Show,
    stored: Sequence[tuple[Edge, StoredComparison]] = (),
) -> SidesExplanation:
    """Explain two sides without a record in common, by the configuration that decided.

    `stored` is the evidence kept of pairs between them, weightiest first: that of this configuration counts as it is.
    """
    edges, compared = _edges(left, right, by, [(e.low, e.high) for e, _ in stored])
    own = {
        (e.low, e.high): kept
        for e, kept in stored
        if (kept.model_version, kept.policy_version) == (by.model.version, by.policy.version)
    }
    edges = sorted(
        (Edge(e.low, e.high, own[e.low, e.high].comparison) if (e.low, e.high) in own else e for e in edges),
        key=lambda e: (-e.comparison.weight, e.low, e.high),
    )
    found = judge(left, right, constraints, by, edges)
    low, high = found.best.low, found.best.high
    mine = [r for r in left if r.record_id in (low, high)]
    other = [r for r in right if r.record_id in (low, high)]
    best = weigh(mine, other, by, show, own.get((low, high)))
    single = len(left) == len(right) == 1
    return SidesExplanation(
        left=tuple(sorted(r.record_id for r in left)),
        right=tuple(sorted(r.record_id for r in right)),
        best_pair=(mine[0].record_id, other[0].record_id),
        best=best,
        wholes=best if single else weigh(left, right, by, show),
        verdict=found.verdict,
        reason=found.reason,
        review=by.policy.review,
        auto_merge=by.policy.auto_merge,
        pairs=len(left) * len(right),
        compared=compared,
        would_change=would_change(left, right, constraints, by, found.verdict),
    )


def _edges(
    left: Records, right: Records, by: Configuration, kept: Sequence[tuple[Id, Id]]
) -> tuple[list[Edge], int]:
    """The edges between the sides; of sides too large, those between a few records, weightiest evidence first."""
    if len(left) * len(right) > MOST_PAIRS:
        rank = {r: -n for n, pair in enumerate(reversed(kept)) for r in pair}
        left, right = (
            sorted(side, key=lambda r: (rank.get(r.record_id, 1), r.record_id))[:_MOST_RECORDS]
            for side in (left, right)
        )
    found = edges_between(left, right, by)
    return found, len(found)
