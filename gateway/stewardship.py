"""What was merged and split, undoing it, and the pairs that wait for a steward."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from gateway.documentation import errors
from gateway.models import MergeLog, MergeLogDetail, Page, Review, RollbackRequest, RolledBack
from gateway.paging import Paged
from gateway.ports import ports_of
from pipeline.errors import NotFound
from pipeline.identity.ids import Id

router = APIRouter(prefix="/v1", tags=["stewardship"])


@router.get("/merge-logs", responses=errors(400, 503), summary="Merges, splits and rollbacks")
async def list_merge_logs(
    request: Request,
    paging: Paged,
    profile_id: Annotated[UUID | None, Query(description="Only those this profile took part in.")] = None,
    kind: Literal["merged", "split", "rolled_back"] | None = None,
    rolled_back: Annotated[
        bool | None, Query(description="Only merges undone, or only those standing.")
    ] = None,
) -> Page[MergeLog]:
    """Newest first."""
    store = ports_of(request).store
    chosen = {"profile_id": profile_id, "kind": kind, "rolled_back": rolled_back}
    rows = await store.rows("read_merge_logs", {**chosen, **paging.window})
    total = await store.rows("count_merge_logs", chosen)
    return paging.of([MergeLog.model_validate(row) for row in rows], total[0]["total"])


@router.get("/merge-logs/{merge_log_id}", responses=errors(400, 404, 503), summary="One merge")
async def get_merge_log(request: Request, merge_log_id: UUID) -> MergeLogDetail:
    """With both profiles as they stood before."""
    rows = await ports_of(request).store.rows("read_merge_log", {"merge_log_id": merge_log_id})
    if not rows:
        raise NotFound("no such merge log")
    return MergeLogDetail.model_validate(rows[0])


@router.post(
    "/merge-logs/{merge_log_id}/rollback", responses=errors(400, 404, 409, 503), summary="Undo a merge"
)
async def post_rollback(request: Request, merge_log_id: UUID, body: RollbackRequest) -> RolledBack:
    """Restores the profile that was merged away under its old id, events and identifiers included, and keeps the
    two apart from now on."""
    actor = body.actor or f"api-key:{request.state.caller}"
    result = await asyncio.to_thread(ports_of(request).rollback, Id(merge_log_id.bytes), actor, body.reason)
    return RolledBack.model_validate(result)


@router.get("/reviews", responses=errors(400, 503), summary="Pairs that wait for a steward")
async def list_reviews(
    request: Request,
    paging: Paged,
    status: Literal["pending", "obsolete", "approved", "rejected"] = "pending",
) -> Page[Review]:
    """The likeliest first."""
    store = ports_of(request).store
    rows = await store.rows("read_reviews", {"status": status, **paging.window})
    total = await store.rows("count_reviews", {"status": status})
    return paging.of([Review.model_validate(row) for row in rows], total[0]["total"])
