"""The review queue as it is read by people: what waits for a steward, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pipeline.errors import BadInput, NotFound
from pipeline.identity.ids import Id
from pipeline.store.database import Transaction


@dataclass(frozen=True, slots=True)
class StoredReview:
    """A review with the names of its columns; a proposed split names its one profile twice. `answered_by` and
    `answer_reason` are of those that were approved or rejected, at `updated_at`, and `constraint_id` what to revoke to
    take that back. If that was done it was at `updated_at`, and `revoked_by` and `revoke_reason` tell of it. `etag` is
    another one as soon as anything else is."""

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
    constraint_id: Id | None
    revoked_by: str | None
    revoke_reason: str | None
    assigned_to: str | None
    skipped_until: datetime | None
    skip_reason: str | None
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


class Skipped(StrEnum):
    """What becomes of reviews that were put aside and have not come back yet, in a list of those that wait."""

    EXCLUDE = "exclude"
    INCLUDE = "include"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reviews: those of a status, and of what else is given. `unassigned`: only those that are nobody's."""

    status: str = "pending"
    kind: str | None = None
    assigned_to: str | None = None
    unassigned: bool = False
    reason: str | None = None
    profile_id: UUID | None = None
    min_score: float | None = None
    max_score: float | None = None
    skipped: Skipped = Skipped.EXCLUDE

    def __post_init__(self) -> None:
        """Raises BadInput where nothing can be so."""
        if self.unassigned and self.assigned_to is not None:
            raise BadInput(
                "unassigned", "nothing is both nobody's and somebody's; leave it or assigned_to out"
            )
        if self.min_score is not None and self.max_score is not None and self.min_score > self.max_score:
            raise BadInput("min_score", "it is above max_score; exchange the two")

    def parameters(self, now: datetime) -> dict[str, object]:
        """What `read_reviews` and `count_reviews` take, but for the page."""
        return {**asdict(self), "now": now}


def read_reviews(tx: Transaction, wanted: Wanted, now: datetime, limit: int) -> ReviewPage:
    """The first of the reviews that are wanted, the likeliest first."""
    chosen = wanted.parameters(now)
    rows = tx.rows("read_reviews", {**chosen, "limit": limit, "offset": 0})
    ((total,),) = tx.rows("count_reviews", chosen)
    return ReviewPage(tuple(StoredReview(*row) for row in rows), total)


def read_review(tx: Transaction, review_id: Id) -> StoredReview:
    """One review. Raises NotFound."""
    row = tx.row("read_review", {"review_id": review_id})
    if row is None:
        raise NotFound(f"no review {review_id}")
    return StoredReview(*row)
