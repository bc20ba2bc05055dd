"""The reviews that wait for a steward's answer."""

from __future__ import annotations

import asyncio
from uuid import UUID

from fastapi import APIRouter, Response
from starlette.requests import Request

from gateway.conditions import IfMatch
from gateway.documentation import CONDITIONAL, ETAG, errors
from gateway.idempotency import OnceRoute
from gateway.links import about, leading_to, link, undoing
from gateway.models import Page, StewardRequest
from gateway.occasions import occasion_of
from gateway.paging import Paged
from gateway.ports import ports_of
from gateway.review_filter import Filtered
from gateway.review_models import Answered, AssignRequest, Review, SkipRequest
from gateway.rights import actor_of, needs
from pipeline.answer import Answer
from pipeline.api_keys.scope import Scope
from pipeline.errors import NotFound
from pipeline.identity.ids import Id
from pipeline.seen import Seen
from pipeline.store.reviews import StoredReview

router = APIRouter(
    prefix="/v1", tags=["stewardship"], dependencies=[needs(Scope.STEWARD)], route_class=OnceRoute
)


_AS_READ = {"review_id": "$response.body#/review_id", "header.If-Match": "$response.header.ETag"}
_ACTS = {
    "approve": link("approve", "If it still is as it was read.", _AS_READ),
    "reject": link("reject", "If it still is as it was read.", _AS_READ),
    "assign": link("assign", "If it still is as it was read.", _AS_READ),
    "skip": link("skip", "If it still is as it was read.", _AS_READ),
    "why": link(
        "explain",
        "Why it is a question.",
        {"profile_id": "$response.body#/low_record", "with": "$response.body#/high_record"},
    ),
}
_SAID = link("get_constraint", "What its answer says.", {"constraint_id": "$response.body#/constraint_id"})
_PROFILES = about("$response.body#/profiles/0", "profile", "timeline")


@router.get(
    "/reviews",
    responses={
        **leading_to(
            {"first": link("get_review", "The likeliest.", {"review_id": "$response.body#/data/0/review_id"})}
        ),
        **errors(400, 503),
    },
    summary="What waits for a steward",
)
async def list_reviews(request: Request, paging: Paged, wanted: Filtered) -> Page[Review]:
    """The likeliest first. Those put aside are left out until they come back, unless `skipped` asks for them."""
    ports = ports_of(request)
    chosen = wanted.parameters(ports.clock())
    rows = await ports.store.rows("read_reviews", {**chosen, **paging.window})
    total = await ports.store.rows("count_reviews", chosen)
    return paging.of([Review.model_validate(row) for row in rows], total[0]["total"])


@router.get(
    "/reviews/{review_id}",
    responses={**leading_to({**_ACTS, "constraint": _SAID}, beside=ETAG), **errors(400, 404, 503)},
    summary="One review",
)
async def get_review(request: Request, response: Response, review_id: UUID) -> Review:
    """Send its ETag as If-Match with what you do about it, and it is done only if nothing changed since. Why it is a
    question says, of a merge, `GET /v1/profiles/{low_profile}/explain?with={high_profile}`; of a split, the same
    between `low_record` and `high_record`."""
    rows = await ports_of(request).store.rows("read_review", {"review_id": review_id})
    if not rows:
        raise NotFound(f"no review {review_id}")
    response.headers["ETag"] = rows[0]["etag"]
    return Review.model_validate(rows[0])


@router.post(
    "/reviews/{review_id}/approve",
    responses={
        **leading_to({**_PROFILES, **undoing("$response.body#/merge_log_ids/0")}),
        **errors(*CONDITIONAL),
    },
    summary="Approve a merge or a split",
)
async def approve(request: Request, review_id: UUID, body: StewardRequest, seen: IfMatch) -> Answered:
    """Of a merge: the two profiles are one customer, and are merged. Of a split: each part is a customer of its own,
    and the profile is split. Later records keep to it. 409 where the review is obsolete or was rejected before; to
    approve again changes nothing."""
    return await _answer(request, review_id, Answer.APPROVED, body, seen)


@router.post(
    "/reviews/{review_id}/reject",
    responses={**leading_to(_PROFILES), **errors(*CONDITIONAL)},
    summary="Reject a merge or a split",
)
async def reject(request: Request, review_id: UUID, body: StewardRequest, seen: IfMatch) -> Answered:
    """Of a merge: the two profiles are two customers, and are never merged. Of a split: the profile is one customer,
    and stays together. It is not asked again. 409 where the review is obsolete or was approved before; to reject
    again changes nothing."""
    return await _answer(request, review_id, Answer.REJECTED, body, seen)


@router.post(
    "/reviews/{review_id}/assign",
    responses={**leading_to(_ACTS, beside=ETAG), **errors(*CONDITIONAL)},
    summary="Give a review to a steward",
)
async def assign(
    request: Request, response: Response, review_id: UUID, body: AssignRequest, seen: IfMatch
) -> Review:
    """Or to nobody. 409 where it is somebody else's, neither the actor's nor of whom it is given to: with If-Match, by
    which you have seen that, it is given away all the same. 409 too where it no longer waits."""
    give = ports_of(request).steward.assign
    actor, occasion = actor_of(request, body.actor), occasion_of(request)
    result = await asyncio.to_thread(
        give, Id(review_id.bytes), body.assigned_to, actor, body.reason, seen, occasion
    )
    return _read(response, result)


@router.post(
    "/reviews/{review_id}/skip",
    responses={**leading_to(_ACTS, beside=ETAG), **errors(*CONDITIONAL)},
    summary="Put a review aside",
)
async def skip(
    request: Request, response: Response, review_id: UUID, body: SkipRequest, seen: IfMatch
) -> Review:
    """It is left out of what waits until then, and comes back by itself; it can be answered meanwhile. 409 where it no
    longer waits."""
    put_aside = ports_of(request).steward.skip
    actor, occasion = actor_of(request, body.actor), occasion_of(request)
    result = await asyncio.to_thread(
        put_aside, Id(review_id.bytes), body.until, actor, body.reason, seen, occasion
    )
    return _read(response, result)


def _read(response: Response, review: StoredReview) -> Review:
    response.headers["ETag"] = review.etag
    return Review.model_validate(review)


async def _answer(
    request: Request, review_id: UUID, answer: Answer, body: StewardRequest, seen: Seen
) -> Answered:
    give = ports_of(request).steward.answer
    actor, occasion = actor_of(request, body.actor), occasion_of(request)
    result = await asyncio.to_thread(give, Id(review_id.bytes), answer, actor, body.reason, seen, occasion)
    return Answered.model_validate(result)
