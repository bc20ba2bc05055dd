"""Evidence as it is stored beside a decision: levels and weights, never a value."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.identity.model import Comparison, Edge, LevelWeight
from pipeline.store.database import Transaction


def edge_details(edge: Edge) -> dict[str, object]:
    """An edge as stored in scoring details: no value, only levels and weights."""
    return {
        "low": str(edge.low),
        "high": str(edge.high),
        "weight": round(edge.comparison.weight, 3),
        "confidence": round(edge.comparison.confidence, 6),
        "veto": edge.comparison.veto,
        "levels": [[v.attribute, v.level, round(v.weight, 3)] for v in edge.comparison.levels],
    }


def with_levels(tx: Transaction, edges: Sequence[Edge]) -> list[Edge]:
    """The edges with their levels, from the store where they came without."""
    bare = [e for e in edges if not e.comparison.levels]
    if not bare:
        return list(edges)
    from_store = {
        (low, high): levels
        for low, high, levels in tx.rows("evidence_levels", ([e.low for e in bare], [e.high for e in bare]))
    }
    return [e if e.comparison.levels else _leveled(e, from_store.get((e.low, e.high), [])) for e in edges]


def _leveled(edge: Edge, levels: Sequence[tuple[str, str, float]]) -> Edge:
    c = edge.comparison
    return Edge(
        edge.low,
        edge.high,
        Comparison(c.weight, c.confidence, tuple(LevelWeight(*v) for v in levels), c.veto),
    )
