"""The review queue as it is read by people: what waits for a steward, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.errors import NotFound
from pipeline.identity.ids import Id
from pipeline.store.database import Transaction


@dataclass(frozen=True, slots=True)
class StoredReview:
    """A review with the names of its columns; a proposed split names its one profile twice. `answered_by` and
    `answer_reason` are of those that were approved or rejected, at `updated_at`. `etag` is another one as soon as
    anything else is."""

    review_id: Id
    kind: str
    low_profile: Id
    high_profile: Id
    low_record: Id
    high_record: Id
    status: str
    reason: str
    confidence_score: float
    scoring_details: Mapping[str, object]
    model_version: str
    policy_version: str
    created_at: datetime
    updated_at: datetime
    answered_by: str | None
    answer_reason: str | None
    etag: str

    @property
    def parts(self) -> tuple[tuple[Id, ...], ...]:
        """The records of each part of a proposed split, the largest first; none of a merge."""
        parts = self.scoring_details.get("parts", [])
        assert isinstance(parts, list)
        return tuple(tuple(map(Id.parse, part)) for part in parts)


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Some reviews, and how many there are."""

    reviews: tuple[StoredReview, ...]
    total: int


def read_reviews(tx: Transaction, status: str, kind: str | None, limit: int) -> ReviewPage:
    """The first reviews of a status, and of a kind where one is given: the likeliest first."""
    chosen = {"status": status, "kind": kind}
    rows = tx.rows("read_reviews", {**chosen, "limit": limit, "offset": 0})
    ((total,),) = tx.rows("count_reviews", chosen)
    return ReviewPage(tuple(StoredReview(*row) for row in rows), total)


def read_review(tx: Transaction, review_id: Id) -> StoredReview:
    """One review. Raises NotFound."""
    row = tx.row("read_review", {"review_id": review_id})
    if row is None:
        raise NotFound(f"no review {review_id}")
    return StoredReview(*row)
