"""Makes the review queue of settled profiles what it should be: merges in doubt, and splits that are proposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from pipeline.identity.answer import asks_the_same
from pipeline.identity.ids import Id
from pipeline.identity.model import Proposal, Review
from pipeline.identity.settle import Settlement
from pipeline.store.database import Transaction
from pipeline.store.edge_details import edge_details, with_levels
from pipeline.store.identity_writer import Author

MERGE, SPLIT = "merge", "split"


@dataclass(frozen=True, slots=True)
class ReviewChange:
    """A review as it stands after the transaction. `kind` says what a steward is asked for; a split is of one profile,
    which is then both `low` and `high`."""

    review_id: Id
    kind: str
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
        """Make what is pending of the settled profiles what it should be; returns what changed.

        A review that asks something else than before gets a new id: nobody who saw the old one answers the new one.
        """
        if not settlement.reviewed:
            return []
        pending = {
            (low, high): (review, shows)
            for review, low, high, *shows in self._tx.rows(
                "pending_reviews", {"profiles": list(settlement.reviewed)}
            )
        }
        wanted: dict[tuple[Id, Id], Review | Proposal] = {(r.low, r.high): r for r in settlement.reviews}
        wanted |= {(p.profile, p.profile): p for p in settlement.proposals}
        moved = {p for p, after in settlement.profiles.items() if after.change in ("merged", "split")}
        same = {
            pair
            for pair, (_, shows) in pending.items()
            if pair in wanted and moved.isdisjoint(pair) and _asks_the_same(shows, wanted[pair])
        }
        retired = [review for pair, (review, _) in pending.items() if pair not in same]
        added = [(self._author.new_id(), r) for pair, r in wanted.items() if pair not in same]
        changed = [
            (review, wanted[pair])
            for pair, (review, shows) in pending.items()
            if pair in same and shows != _shown(wanted[pair])
        ]
        return (
            self._retire(retired) + self._put("insert_reviews", added) + self._put("update_reviews", changed)
        )

    def answer(self, review_id: Id, status: str, etag: str) -> ReviewChange | None:
        """Give a pending review its answer; None where it is no longer the one of this entity tag."""
        given = {"review_id": review_id, "status": status, "etag": etag, "now": self._author.now}
        row = self._tx.row("answer_review", given)
        return None if row is None else ReviewChange(*row)

    def retire(self, profiles: Sequence[Id]) -> list[ReviewChange]:
        """Nothing is asked about these profiles any more."""
        pending = self._tx.rows("pending_reviews", {"profiles": list(profiles)})
        return self._retire([review for review, *_ in pending])

    def take_back(self, review_id: Id) -> ReviewChange:
        """An answered review whose answer is taken back."""
        (row,) = self._tx.rows("take_back_review", (self._author.now, review_id))
        return ReviewChange(*row)

    def _retire(self, retired: Sequence[Id]) -> list[ReviewChange]:
        if not retired:
            return []
        return [
            ReviewChange(*row) for row in self._tx.rows("retire_reviews", (self._author.now, list(retired)))
        ]

    def _put(self, query: str, reviews: Sequence[tuple[Id, Review | Proposal]]) -> list[ReviewChange]:
        if not reviews:
            return []
        edges = with_levels(self._tx, [r.edge for _, r in reviews])
        a = self._author
        changes = []
        for (review_id, r), edge in zip(reviews, edges, strict=True):
            details: dict[str, object] = {"evidence": [edge_details(edge)]}
            if isinstance(r, Proposal):
                details["parts"] = _parts(r)
            kind, low, high = (
                (SPLIT, r.profile, r.profile) if isinstance(r, Proposal) else (MERGE, r.low, r.high)
            )
            changes.append(
                ReviewChange(
                    review_id,
                    kind,
                    "pending",
                    r.reason,
                    low,
                    high,
                    edge.comparison.confidence,
                    orjson.dumps(details).decode(),
                    a.model_version,
                    a.policy_version,
                )
            )
        self._tx.run(
            query,
            {
                "ids": [c.review_id for c in changes],
                "kind": [c.kind for c in changes],
                "low": [c.low for c in changes],
                "high": [c.high for c in changes],
                "low_record": [e.low for e in edges],
                "high_record": [e.high for e in edges],
                "reason": [c.reason for c in changes],
                "confidence": [c.confidence for c in changes],
                "details": [c.details for c in changes],
                "model": a.model_version,
                "policy": a.policy_version,
                "now": a.now,
            },
        )
        return changes


def _shown(r: Review | Proposal) -> list[object]:
    """What a pending review of it would show."""
    parts = _parts(r) if isinstance(r, Proposal) else None
    return [r.edge.low, r.edge.high, r.reason, r.edge.comparison.confidence, parts]


def _asks_the_same(shows: Sequence[object], r: Review | Proposal) -> bool:
    """Whether a pending review that shows this still asks what is to be asked."""
    if not isinstance(r, Proposal):
        return True
    parts = cast(list[list[str]], shows[-1])
    return asks_the_same([frozenset(map(Id.parse, part)) for part in parts], r.parts)


def _parts(proposal: Proposal) -> list[list[str]]:
    return [[str(r) for r in sorted(part)] for part in proposal.parts]
