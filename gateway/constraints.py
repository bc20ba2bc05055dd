"""What stewards and rollbacks said of records: listed, looked at, taken back."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from starlette.requests import Request

from gateway.conditions import IfMatch
from gateway.constraint_models import Constraint, Constraints, Revoked, RevokeRequest
from gateway.cursors import MAX_CURSOR, Cursors
from gateway.documentation import CONDITIONAL, ETAG, errors
from gateway.idempotency import OnceRoute
from gateway.links import about, leading_to, link, undoing
from gateway.occasions import asked_by
from gateway.paging import MAX_LIMIT
from gateway.ports import ports_of
from gateway.rights import needs
from gateway.taken import Text
from pipeline.api_keys.scope import Scope
from pipeline.errors import NotFound
from pipeline.identity.ids import Id
from pipeline.store.constraints import FRONT, Wanted

router = APIRouter(
    prefix="/v1", tags=["stewardship"], dependencies=[needs(Scope.STEWARD)], route_class=OnceRoute
)


_FIRST = link("get_constraint", "The newest.", {"constraint_id": "$response.body#/data/0/constraint_id"})
_REHEARSE = link(
    "revoke",
    "What taking it back would move.",
    {"constraint_id": "$response.body#/constraint_id", "header.If-Match": "$response.header.ETag"},
    {"reason": "a rehearsal", "dry_run": True},
)
_DO = link(
    "revoke",
    "As it was rehearsed, or not at all.",
    {"constraint_id": "$request.path.constraint_id"},
    {"reason": "$request.body#/reason", "plan": "$response.body#/plan"},
)


@router.get(
    "/constraints",
    responses={**leading_to({"first": _FIRST}), **errors(400, 503)},
    summary="What stewards said of records",
)
async def list_constraints(
    request: Request,
    profile_id: Annotated[
        UUID | None,
        Query(description="Only those that name records of this profile, or of the one it was merged into."),
    ] = None,
    kind: Annotated[
        Literal["must_link", "cannot_link"] | None,
        Query(description="Only those that say one customer, or only those that say two."),
    ] = None,
    actor: Annotated[Text | None, Query(max_length=100, description="Only those of this steward.")] = None,
    review_id: Annotated[UUID | None, Query(description="Only those that answer this review.")] = None,
    revoked: Annotated[
        bool | None, Query(description="Only those that were revoked, or only those that stand.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Constraints a page.")] = 20,
    cursor: Annotated[
        Text | None, Query(max_length=MAX_CURSOR, description="`next` of the page before.")
    ] = None,
) -> Constraints:
    """Answers to reviews, rollbacks, splits and merges by hand; the newest first. What comes while pages are read moves
    none of them."""
    ports = ports_of(request)
    wanted = Wanted(profile_id, kind, actor, review_id, revoked)
    cursors = Cursors(ports.ring, "constraints", profile_id, kind, actor, review_id, revoked)
    at, last = map(str, cursors.read(cursor)) if cursor else FRONT
    rows = await ports.store.rows("read_constraints", wanted.parameters(at, last, limit + 1))
    page = [Constraint.model_validate(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Constraints(
        data=page,
        next=cursors.write((page[-1].created_at.isoformat(), str(page[-1].constraint_id))) if more else None,
    )


@router.get(
    "/constraints/{constraint_id}",
    responses={
        **leading_to(
            {
                "rehearse_revoke": _REHEARSE,
                "review": link("get_review", "What it answers.", {"review_id": "$response.body#/review_id"}),
                **about("$response.body#/left_profiles/0", "profile", "timeline"),
            },
            beside=ETAG,
        ),
        **errors(400, 404, 503),
    },
    summary="One constraint",
)
async def get_constraint(request: Request, response: Response, constraint_id: UUID) -> Constraint:
    """Whose records it names, where they stand now, who said it and why, and whether it stands. Send its ETag as
    If-Match to revoke it only if it still does."""
    rows = await ports_of(request).store.rows("read_constraint", {"constraint_id": constraint_id})
    if not rows:
        raise NotFound(f"no constraint {constraint_id}")
    response.headers["ETag"] = rows[0]["etag"]
    return Constraint.model_validate(rows[0])


@router.post(
    "/constraints/{constraint_id}/revoke",
    responses={
        **leading_to(
            {
                "do": _DO,
                "review": link(
                    "get_review", "Whose answer is taken back.", {"review_id": "$response.body#/review_id"}
                ),
                **undoing("$response.body#/merge_log_ids/0"),
            }
        ),
        **errors(*CONDITIONAL),
    },
    summary="Revoke a constraint",
)
async def revoke(request: Request, constraint_id: UUID, body: RevokeRequest, seen: IfMatch) -> Revoked:
    """All whom it names are decided afresh without it: records that nothing else holds together come apart, under
    their old ids where it had merged them; those that evidence joins are merged; and what is in doubt is asked again.
    Of an answer to a review all of its constraints are revoked, and its status is `revoked` then. Of a rollback the
    merge comes back where its evidence still holds. A dry run says what would move; its `plan` makes sure that just
    that is done. 409 where it was revoked before."""
    act = ports_of(request).steward.revoke
    result = await asyncio.to_thread(act, Id(constraint_id.bytes), asked_by(request, body), seen)
    return Revoked.model_validate(result)
