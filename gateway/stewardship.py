"""What was merged and split, undoing it, and merging by hand."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from gateway.documentation import WRITE, errors
from gateway.idempotency import OnceRoute
from gateway.links import about, leading_to, link, undoing
from gateway.models import MergeLog, MergeLogDetail, Page
from gateway.occasions import asked_by
from gateway.paging import Paged
from gateway.ports import ports_of
from gateway.rights import needs
from gateway.unmerge_models import (
    BulkRollbackRequest,
    Joined,
    JoinRequest,
    SplitRequest,
    Unmerged,
    UnmergedMany,
    UnmergeRequest,
)
from pipeline.api_keys.scope import Scope
from pipeline.errors import BadInput, NotFound
from pipeline.identity.ids import Id
from pipeline.unmerge.bulk import Chosen, plan_of_all

router = APIRouter(
    prefix="/v1", tags=["stewardship"], dependencies=[needs(Scope.STEWARD)], route_class=OnceRoute
)


_DONE = "As it was rehearsed, or not at all."
_FIRST = "$response.body#/data/0/"
_DO_ROLLBACK = link(
    "post_rollback",
    _DONE,
    {"merge_log_id": "$request.path.merge_log_id"},
    {"reason": "$request.body#/reason", "plan": "$response.body#/plan"},
)
_DO_JOIN = link(
    "post_join",
    _DONE,
    body={
        "profiles": "$request.body#/profiles",
        "reason": "$request.body#/reason",
        "plan": "$response.body#/plan",
    },
)


@router.get(
    "/merge-logs",
    responses={
        **leading_to({**undoing(_FIRST + "merge_log_id"), **about(_FIRST + "target_profile", "profile")}),
        **errors(400, 503),
    },
    summary="Merges, splits and rollbacks",
)
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


@router.get(
    "/merge-logs/{merge_log_id}",
    responses={
        **leading_to(
            {
                **undoing("$response.body#/merge_log_id"),
                **about("$response.body#/target_profile", "profile", "timeline"),
            }
        ),
        **errors(400, 404, 503),
    },
    summary="One merge",
)
async def get_merge_log(request: Request, merge_log_id: UUID) -> MergeLogDetail:
    """With both profiles as they stood before."""
    rows = await ports_of(request).store.rows("read_merge_log", {"merge_log_id": merge_log_id})
    if not rows:
        raise NotFound("no such merge log")
    return MergeLogDetail.model_validate(rows[0])


@router.post(
    "/merge-logs/{merge_log_id}/rollback",
    responses={
        **leading_to({"do": _DO_ROLLBACK, **about("$response.body#/merges/0/kept", "profile", "explain")}),
        **errors(*WRITE, 404),
    },
    summary="Undo a merge",
)
async def post_rollback(request: Request, merge_log_id: UUID, body: UnmergeRequest) -> Unmerged:
    """Restores the profile that was merged away under its old id, events and identifiers included, and keeps the
    two apart from now on. A dry run says what would move; its `plan` makes sure that just that is done."""
    undo = ports_of(request).steward.rollback
    result = await asyncio.to_thread(undo, Id(merge_log_id.bytes), asked_by(request, body))
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
    found = await asyncio.to_thread(undo, chosen, asked_by(request, body))
    return UnmergedMany(plan=plan_of_all(found), groups=[Unmerged.model_validate(one) for one in found])


@router.post(
    "/profiles/{profile_id}/split",
    responses={
        **leading_to(about("$response.body#/moves/0/source", "profile", "timeline", "merge_logs")),
        **errors(*WRITE, 404),
    },
    summary="Take records out",
)
async def post_split(request: Request, profile_id: UUID, body: SplitRequest) -> Unmerged:
    """They make a customer of their own, or join the one they belong to, and never come back to this one, which keeps
    its id. A dry run says what would move; its `plan` makes sure that just that is done."""
    take_out = ports_of(request).steward.take_out
    records, events = ([Id(i.bytes) for i in given] for given in (body.records, body.events))
    result = await asyncio.to_thread(take_out, Id(profile_id.bytes), records, events, asked_by(request, body))
    return Unmerged.model_validate(result)


@router.post(
    "/profiles:merge",
    responses={
        **leading_to(
            {
                "do": _DO_JOIN,
                **about("$response.body#/profile_id", "profile", "timeline"),
                **undoing("$response.body#/merge_log_ids/0"),
            }
        ),
        **errors(*WRITE, 404),
    },
    summary="Make profiles one customer",
)
async def post_join(request: Request, body: JoinRequest) -> Joined:
    """Whatever the evidence says; later records keep to it. The other ids lead to the profile that stays, and a
    rollback of what the merge log says undoes it. A dry run says what would move; its `plan` makes sure that just that
    is done. 409 where a profile was merged away or waits for an answer whether it is to be split, and where somebody
    said that records of these are two people: that outweighs it."""
    join = ports_of(request).steward.join
    result = await asyncio.to_thread(join, [Id(p.bytes) for p in body.profiles], asked_by(request, body))
    return Joined.model_validate(result)
