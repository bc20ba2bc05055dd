"""What was merged and split, undoing it, and the reviews that wait for a steward's answer."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from gateway.documentation import WRITE, errors
from gateway.idempotency import OnceRoute
from gateway.models import Answered, MergeLog, MergeLogDetail, Page, Review, StewardRequest
from gateway.paging import Paged
from gateway.ports import ports_of
from gateway.rights import actor_of, needs
from gateway.unmerge_models import (
    BulkRollbackRequest,
    SplitRequest,
    Unmerged,
    UnmergedMany,
    UnmergeRequest,
)
from pipeline.answer import Answer
from pipeline.api_keys.scope import Scope
from pipeline.errors import BadInput, NotFound
from pipeline.identity.ids import Id
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.bulk import Chosen, plan_of_all

router = APIRouter(
    prefix="/v1", tags=["stewardship"], dependencies=[needs(Scope.STEWARD)], route_class=OnceRoute
)

_ANSWERED = errors(*WRITE, 404)


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


@router.post("/merge-logs/{merge_log_id}/rollback", responses=errors(*WRITE, 404), summary="Undo a merge")
async def post_rollback(request: Request, merge_log_id: UUID, body: UnmergeRequest) -> Unmerged:
    """Restores the profile that was merged away under its old id, events and identifiers included, and keeps the
    two apart from now on. A dry run says what would move; its `plan` makes sure that just that is done."""
    undo = ports_of(request).steward.rollback
    result = await asyncio.to_thread(undo, Id(merge_log_id.bytes), _asked(request, body))
    return Unmerged.model_validate(result)


@router.post("/merge-logs:rollback", responses=errors(*WRITE), summary="Undo many merges")
async def post_rollbacks(request: Request, body: BulkRollbackRequest) -> UnmergedMany:
    """All since a bad deploy, or all of one policy or model. They are undone as planned only: make a dry run, then
    send its `plan`; 409 where something else would come of it by now. What is done stays done should a later group
    fail, and the same request goes on with the rest after another dry run."""
    chosen = Chosen(body.since, body.until, body.policy_version, body.model_version, body.by)
    if chosen == Chosen():
        raise BadInput(
            "since", "no condition is given; send since, until, policy_version, model_version or by"
        )
    if not body.dry_run and body.plan is None:
        raise BadInput("plan", "many are undone as planned only; send dry_run first, then the plan it names")
    undo = ports_of(request).steward.rollback_many
    found = await asyncio.to_thread(undo, chosen, _asked(request, body))
    return UnmergedMany(plan=plan_of_all(found), groups=[Unmerged.model_validate(one) for one in found])


@router.post("/profiles/{profile_id}/split", responses=errors(*WRITE, 404), summary="Take records out")
async def post_split(request: Request, profile_id: UUID, body: SplitRequest) -> Unmerged:
    """They make a customer of their own, or join the one they belong to, and never come back to this one, which keeps
    its id. A dry run says what would move; its `plan` makes sure that just that is done."""
    take_out = ports_of(request).steward.take_out
    records, events = ([Id(i.bytes) for i in given] for given in (body.records, body.events))
    result = await asyncio.to_thread(take_out, Id(profile_id.bytes), records, events, _asked(request, body))
    return Unmerged.model_validate(result)


@router.get("/reviews", responses=errors(400, 503), summary="What waits for a steward")
async def list_reviews(
    request: Request,
    paging: Paged,
    status: Literal["pending", "obsolete", "approved", "rejected"] = "pending",
    kind: Annotated[
        Literal["merge", "split"] | None,
        Query(description="Only pairs that may be one customer, or only profiles that may be several."),
    ] = None,
) -> Page[Review]:
    """The likeliest first."""
    store = ports_of(request).store
    chosen = {"status": status, "kind": kind}
    rows = await store.rows("read_reviews", {**chosen, **paging.window})
    total = await store.rows("count_reviews", chosen)
    return paging.of([Review.model_validate(row) for row in rows], total[0]["total"])


@router.get("/reviews/{review_id}", responses=errors(400, 404, 503), summary="One review")
async def get_review(request: Request, review_id: UUID) -> Review:
    """Why it is a question says, of a merge, `GET /v1/profiles/{low_profile}/explain?with={high_profile}`; of a split,
    the same between `low_record` and `high_record`."""
    rows = await ports_of(request).store.rows("read_review", {"review_id": review_id})
    if not rows:
        raise NotFound(f"no review {review_id}")
    return Review.model_validate(rows[0])


@router.post("/reviews/{review_id}/approve", responses=_ANSWERED, summary="Approve a merge or a split")
async def approve(request: Request, review_id: UUID, body: StewardRequest) -> Answered:
    """Of a merge: the two profiles are one customer, and are merged. Of a split: each part is a customer of its own,
    and the profile is split. Later records keep to it. 409 where the review is obsolete or was rejected before; to
    approve again changes nothing."""
    return await _answer(request, review_id, Answer.APPROVED, body)


@router.post("/reviews/{review_id}/reject", responses=_ANSWERED, summary="Reject a merge or a split")
async def reject(request: Request, review_id: UUID, body: StewardRequest) -> Answered:
    """Of a merge: the two profiles are two customers, and are never merged. Of a split: the profile is one customer,
    and stays together. It is not asked again. 409 where the review is obsolete or was approved before; to reject
    again changes nothing."""
    return await _answer(request, review_id, Answer.REJECTED, body)


async def _answer(request: Request, review_id: UUID, answer: Answer, body: StewardRequest) -> Answered:
    give = ports_of(request).steward.answer
    result = await asyncio.to_thread(
        give, Id(review_id.bytes), answer, actor_of(request, body.actor), body.reason
    )
    return Answered.model_validate(result)


def _asked(request: Request, body: UnmergeRequest) -> Asked:
    now = ports_of(request).clock()
    return Asked(actor_of(request, body.actor), body.reason, now, body.dry_run, body.plan)
