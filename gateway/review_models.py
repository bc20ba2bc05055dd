"""Reviews and what becomes of them, as the gateway takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from gateway.error_models import Error
from gateway.models import StewardRequest, View
from gateway.taken import Moment, Named, Why


class Review(View):
    """Two profiles that may be one customer (`kind` merge), or one that may be several (split: `low_profile` and
    `high_profile` are the same, `scoring_details.parts` lists the records of each part, `low_record` and `high_record`
    are of the largest part and of the others)."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "review_id": "019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0",
                "kind": "merge",
                "low_profile": "019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10",
                "high_profile": "019c1f3a-52c0-7d10-8b22-7f1e6c4a3b21",
                "low_record": "1b0f6c1e-8a3d-4f5b-9c7e-2d4a6b8c0e1f",
                "high_record": "7e2d4a6b-8c0e-1f1b-8f6c-1e8a3d4f5b9c",
                "status": "pending",
                "reason": "veto_exclusive_identifier",
                "confidence_score": 0.97,
                "scoring_details": {"evidence": []},
                "model_version": "model-5c1e",
                "policy_version": "policy-3f2a",
                "created_at": "2026-01-30T09:00:00Z",
                "updated_at": "2026-01-30T09:00:00Z",
                "answered_by": None,
                "answer_reason": None,
                "constraint_id": None,
                "revoked_by": None,
                "revoke_reason": None,
                "assigned_to": "ann",
                "skipped_until": None,
                "skip_reason": None,
                "etag": '"3f1c9a0b7d2e4856"',
            }
        },
    )

    review_id: UUID
    kind: Literal["merge", "split"]
    low_profile: UUID
    high_profile: UUID
    low_record: UUID
    high_record: UUID
    status: str
    reason: str
    confidence_score: float
    scoring_details: object
    model_version: str
    policy_version: str
    created_at: datetime
    updated_at: datetime
    answered_by: str | None = Field(None, description="Who approved or rejected it; it was at updated_at.")
    answer_reason: str | None = Field(None, description="Why.")
    constraint_id: UUID | None = Field(
        None, description="The constraint that says so; it is revoked to take the answer back."
    )
    revoked_by: str | None = Field(None, description="Who took the answer back; then that was at updated_at.")
    revoke_reason: str | None = Field(None, description="Why.")
    assigned_to: str | None = Field(None, description="Whose it is; null: nobody's.")
    skipped_until: datetime | None = Field(
        None, description="Put aside until then; where that has passed it waits as before."
    )
    skip_reason: str | None = Field(None, description="Why it was put aside.")
    etag: str = Field(description="Its ETag: send it as If-Match with what you do about this review.")


class Answered(View):
    """A review answered. `profiles` hold the records it was about now; `merge_log_ids` tell what the answer changed:
    nothing where they stood so before, or the review was answered so before."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "review_id": "019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0",
                "kind": "merge",
                "status": "approved",
                "profiles": ["019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10"],
                "merge_log_ids": ["019c1f3a-5312-7d1e-8a02-3c4d5e6f7081"],
            }
        },
    )

    review_id: UUID
    kind: Literal["merge", "split"]
    status: Literal["approved", "rejected"]
    profiles: list[UUID]
    merge_log_ids: list[UUID]


class AssignRequest(View):
    """To whom a review is given."""

    model_config = ConfigDict(extra="forbid")

    assigned_to: Named | None = Field(examples=["ann"], description="A steward; null: nobody.")
    reason: Why | None = Field(None, examples=["she knows the shop"])
    actor: Named | None = Field(None, description="Who gives it; not given, the holder of the API key.")


class SkipRequest(StewardRequest):
    """How long a review is put aside, and why."""

    until: Moment = Field(
        examples=["2026-12-01T08:00:00Z"],
        description="Then it comes back by itself; in the future, at most 366 days ahead.",
    )


class ReviewToAnswer(View):
    """A review, and its ETag if it is to be answered only as it was read."""

    model_config = ConfigDict(extra="forbid")

    review_id: UUID
    etag: str | None = Field(None, max_length=100, pattern=r'^(W/)?"[!#-~]*"$')


class BulkAnswerRequest(StewardRequest):
    """One answer to many reviews."""

    answer: Literal["approved", "rejected"]
    reviews: list[ReviewToAnswer] = Field(
        min_length=1,
        max_length=100,
        examples=[[{"review_id": "019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0", "etag": '"3f1c9a0b7d2e4856"'}]],
    )


class AnsweredItem(View):
    """What became of one of them."""

    index: int
    review_id: UUID
    status: int = Field(description="The HTTP status this answer alone would have got.")
    answered: Answered | None = None
    error: Error | None = None


class AnsweredMany(View):
    """A result for each review, in the order they were sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "answered": 0,
                "refused": 1,
                "results": [
                    {
                        "index": 0,
                        "review_id": "019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0",
                        "status": 412,
                        "answered": None,
                        "error": {
                            "message": "review 019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0 is not as it was when you read "
                            "it: read it again, then act on what it is now",
                            "code": "PRECONDITION_FAILED",
                            "request_id": "5f2b0c9e0d4b4c1f9a6f",
                        },
                    }
                ],
            }
        }
    )

    answered: int
    refused: int
    results: list[AnsweredItem]
