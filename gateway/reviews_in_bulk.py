"""One answer to many reviews."""

from __future__ import annotations

import asyncio
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request

from gateway.documentation import WRITE, errors
from gateway.envelope import Refusal, refusal, request_id_of
from gateway.error_models import Error
from gateway.idempotency import OnceRoute
from gateway.links import about, leading_to, link
from gateway.occasions import occasion_of
from gateway.ports import ports_of
from gateway.review_models import Answered, AnsweredItem, AnsweredMany, BulkAnswerRequest
from gateway.rights import actor_of, needs
from pipeline.answer import Answer
from pipeline.answer_many import ToAnswer
from pipeline.api_keys.scope import Scope
from pipeline.codes import ErrorCode
from pipeline.errors import RetailBrainError
from pipeline.identity.ids import Id
from pipeline.log import get_logger

router = APIRouter(
    prefix="/v1", tags=["stewardship"], dependencies=[needs(Scope.STEWARD)], route_class=OnceRoute
)


@router.post(
    "/reviews:answer",
    responses={
        **leading_to(
            {
                **about("$response.body#/results/0/answered/profiles/0", "profile"),
                "review": link(
                    "get_review", "One of them.", {"review_id": "$response.body#/results/0/review_id"}
                ),
            }
        ),
        **errors(*WRITE),
    },
    summary="Answer many reviews alike",
)
async def answer_reviews(request: Request, body: BulkAnswerRequest) -> AnsweredMany:
    """Each in a transaction of its own: the answer is 200 whatever becomes of them, and each result has the status that
    its answer alone would have got. They are answered in their order, so that one may make a later one obsolete (409).
    """
    asked = [
        ToAnswer(Id(one.review_id.bytes), None if one.etag is None else frozenset((one.etag,)))
        for one in body.reviews
    ]
    give = ports_of(request).steward.answer_many
    actor, occasion = actor_of(request, body.actor), occasion_of(request)
    found = await asyncio.to_thread(give, asked, Answer(body.answer), actor, body.reason, occasion)
    results = [
        AnsweredItem(index=n, review_id=one.review_id, status=200, answered=Answered.model_validate(came))
        if not isinstance(came, RetailBrainError)
        else _refused(n, one.review_id, came, request_id_of(request))
        for n, (one, came) in enumerate(zip(body.reviews, found, strict=True))
    ]
    done = sum(result.answered is not None for result in results)
    return AnsweredMany(answered=done, refused=len(results) - done, results=results)


def _refused(index: int, review_id: UUID, exc: RetailBrainError, request_id: str) -> AnsweredItem:
    found = refusal(exc)
    if found is None:
        get_logger().error("unforeseen error", request_id=request_id, exc_info=exc)
        found = Refusal(500, ErrorCode.INTERNAL_ERROR, "an error of ours; it is logged under this request id")
    error = Error(message=found.message, code=found.code, request_id=request_id)
    return AnsweredItem(index=index, review_id=review_id, status=found.status, error=error)
