"""What stewards said of records, and taking it back, as the gateway takes and answers it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from gateway.customer_models import CursorPage, shown
from gateway.models import View
from gateway.unmerge_models import Move, UnmergeRequest


class Constraint(View):
    """What a steward, or a rollback, said of records: the left ones are (`must_link`), or are not (`cannot_link`), one
    customer with the right ones. A must-link holds all of either side together."""

    model_config = shown(
        constraint_id="019c1f3b-0a10-7b52-9c33-8d9eafb0c1d2",
        kind="cannot_link",
        left_records=["1b0f6c1e-8a3d-4f5b-9c7e-2d4a6b8c0e1f"],
        right_records=["7e2d4a6b-8c0e-1f1b-8f6c-1e8a3d4f5b9c"],
        left_profiles=["019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10"],
        right_profiles=["019c1f3a-52c0-7d10-8b22-7f1e6c4a3b21"],
        actor="ann",
        reason="father and son",
        created_at="2026-01-31T12:00:00Z",
        review_id="019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0",
        review_kind="merge",
        revoked_at="2026-02-03T09:15:00Z",
        revoked_by="ben",
        revoke_reason="they are one: he showed his card",
        etag='"3f1c9a0b7d2e4856"',
    )

    constraint_id: UUID
    kind: Literal["must_link", "cannot_link"]
    left_records: list[UUID]
    right_records: list[UUID]
    left_profiles: list[UUID] = Field(description="Where the left records stand now.")
    right_profiles: list[UUID]
    actor: str
    reason: str
    created_at: datetime
    review_id: UUID | None = Field(
        description="The review it answers; null: none asked, as of a rollback, a split or a merge by hand."
    )
    review_kind: Literal["merge", "split"] | None
    revoked_at: datetime | None = Field(description="Null: it stands.")
    revoked_by: str | None
    revoke_reason: str | None
    etag: str = Field(description="Its ETag: send it as If-Match to revoke it.")


class Constraints(CursorPage[Constraint]):
    """A page of them, the newest first."""


class RevokeRequest(UnmergeRequest):
    """Why a constraint is taken back; to be rehearsed first."""


class Revoked(View):
    """What revoking did, or would do where it is `rehearsed`: then send `plan` to have just this done. Nothing moves
    where evidence, or other constraints, say the same. `asked` and `retired` are how many reviews came and went. New
    profiles get other ids when it is done."""

    model_config = shown(
        constraint_ids=["019c1f3b-0a10-7b52-9c33-8d9eafb0c1d2"],
        review_id="019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0",
        merge_log_ids=["019c1f3b-1c20-7d1e-8a02-3c4d5e6f7081"],
        moves=[
            {
                "source": "019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10",
                "target": "019c1f3a-52c0-7d10-8b22-7f1e6c4a3b21",
                "destination": "restored",
                "records": ["7e2d4a6b-8c0e-1f1b-8f6c-1e8a3d4f5b9c"],
                "events": 4,
                "identifiers": 2,
            }
        ],
        asked=1,
        retired=0,
        plan="6c63a6471d29e6d3",
        rehearsed=False,
    )

    constraint_ids: list[UUID] = Field(
        description="All that were revoked: of an answer to a review every one it put."
    )
    review_id: UUID | None = Field(
        description="The review whose answer is taken back; its status is `revoked`."
    )
    merge_log_ids: list[UUID] = Field(description="The merges and splits that came of it; none of a dry run.")
    moves: list[Move]
    asked: int
    retired: int
    plan: str
    rehearsed: bool
