"""Why a customer is one customer, and why not another one."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.documentation import errors
from gateway.explanations import PairExplained, ProfileExplained
from gateway.ports import ports_of
from gateway.rights import caller_of, needs
from pipeline.api_keys.scope import Scope
from pipeline.errors import NotFound
from pipeline.explain.picture import drawn
from pipeline.explain.report import PairReport, without_names
from pipeline.explain.text import told
from pipeline.identity.ids import Id

router = APIRouter(prefix="/v1/profiles", tags=["profiles"], dependencies=[needs(Scope.READ)])

_SVG = "image/svg+xml"
_CONTENT = {
    "text/plain": {"schema": {"type": "string"}, "example": "Verdict: one customer.\n"},
    _SVG: {"schema": {"type": "string"}, "example": "<svg/>"},
}


@router.get(
    "/{profile_id}/explain",
    response_model=PairExplained | ProfileExplained,
    responses={200: {"content": _CONTENT}, **errors(400, 404, 503)},
    summary="Why one customer, or why not",
)
async def explain(
    request: Request,
    profile_id: UUID,
    other: Annotated[
        UUID | None,
        Query(alias="with", description="Another profile or identity record: why they are one, or not."),
    ] = None,
    form: Annotated[
        Literal["json", "text", "svg"],
        Query(
            alias="format", description="The same as text, or the waterfall of match weights as a picture."
        ),
    ] = "json",
) -> PairExplained | ProfileExplained | Response:
    """Without `with`: what holds the profile together, its weakest link, and how it came about. With it: the evidence
    between the two attribute by attribute, the verdict, and the smallest changes that would flip it.

    By the model and policy that decided, not by those of today. Values are masked; what people did and said is told
    without their names and words to keys without the scope steward.
    """
    second = None if other is None else Id(other.bytes)
    report = await ports_of(request).explain(Id(profile_id.bytes), second)
    if not caller_of(request).holds(Scope.STEWARD):
        report = without_names(report)
    if form == "text":
        return PlainTextResponse(told(report))
    if form == "svg":
        found = report.explanation if isinstance(report, PairReport) else report.weakest
        if found is None:
            raise NotFound("there is nothing to draw: no two parts of this profile are held by evidence")
        return Response(drawn(found), media_type=_SVG)
    answer = PairExplained if isinstance(report, PairReport) else ProfileExplained
    return answer.model_validate(report)
