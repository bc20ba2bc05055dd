"""Makes the review queue of settled profiles what it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from pipeline.identity.ids import Id
from pipeline.identity.model import Review
from pipeline.identity.settle import Settlement
from pipeline.store.database import Transaction
from pipeline.store.edge_details import edge_details, with_levels
from pipeline.store.identity_writer import Author


@dataclass(frozen=True, slots=True)
class ReviewChange:
    """A review as it stands after the transaction."""

    review_id: Id
    status: str
    reason: str
    low: Id
    high: Id
    confidence: float
    details: str
    model_version: str
    policy_version: str


class ReviewWriter:
    """Writes inside one transaction; the profiles the reviews name were locked before."""

    def __init__(self, tx: Transaction, author: Author) -> None:
        self._tx = tx
        self._author = author

    def write(self, settlement: Settlement) -> list[ReviewChange]:
        """Make the pending reviews of the settled profiles what they should be; returns those that changed."""
        if not settlement.reviewed:
            return []
        pending = {
            (low, high): (review, low_record, high_record, reason, confidence)
            for review, low, high, low_record, high_record, reason, confidence in self._tx.rows(
                "pending_reviews", {"profiles": list(settlement.reviewed)}
            )
        }
        wanted = {(r.low, r.high): r for r in settlement.reviews}
        retired = [row[0] for pair, row in pending.items() if pair not in wanted]
        added = [(self._author.new_id(), r) for pair, r in wanted.items() if pair not in pending]
        changed = [
            (pending[pair][0], r)
            for pair, r in wanted.items()
            if pair in pending
            and pending[pair][1:] != (r.edge.low, r.edge.high, r.reason, r.edge.comparison.confidence)
        ]
        return (
            self._retire(retired) + self._put("insert_reviews", added) + self._put("update_reviews", changed)
        )

    def _retire(self, retired: Sequence[Id]) -> list[ReviewChange]:
        if not retired:
            return []
        rows = self._tx.rows("retire_reviews", (self._author.now, list(retired)))
        return [
            ReviewChange(review, "obsolete", reason, low, high, confidence, details, model, policy)
            for review, low, high, reason, confidence, details, model, policy in rows
        ]

    def _put(self, query: str, reviews: Sequence[tuple[Id, Review]]) -> list[ReviewChange]:
        if not reviews:
            return []
        edges = with_levels(self._tx, [r.edge for _, r in reviews])
        details = [orjson.dumps({"evidence": [edge_details(e)]}).decode() for e in edges]
        a = self._author
        self._tx.run(
            query,
            {
                "ids": [i for i, _ in reviews],
                "low": [r.low for _, r in reviews],
                "high": [r.high for _, r in reviews],
                "low_record": [r.edge.low for _, r in reviews],
                "high_record": [r.edge.high for _, r in reviews],
                "reason": [r.reason for _, r in reviews],
                "confidence": [r.edge.comparison.confidence for _, r in reviews],
                "details": details,
                "model": a.model_version,
                "policy": a.policy_version,
                "now": a.now,
            },
        )
        return [
            ReviewChange(
                i,
                "pending",
                r.reason,
                r.low,
                r.high,
                r.edge.comparison.confidence,
                d,
                a.model_version,
                a.policy_version,
            )
            for (i, r), d in zip(reviews, details, strict=True)
        ]
