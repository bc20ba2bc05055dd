"""What the consumers work out while events flow: recommendations and live figures, read from Redis."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from consumers.reading import live_insights, recommendations
from consumers.recommendations import withheld
from gateway.documentation import errors
from gateway.models import LiveInsights, Recommendations
from gateway.ports import ports_of
from gateway.rights import needs
from gateway.taken import Text
from pipeline.api_keys.scope import Scope
from pipeline.errors import NotFound

router = APIRouter(prefix="/v1", dependencies=[needs(Scope.READ)])

Part = Annotated[Text | None, Query(max_length=64)]


@router.get(
    "/recommendations/{profile_id}",
    responses=errors(400, 404, 503),
    tags=["profiles"],
    summary="What a customer may like",
)
async def get_recommendations(
    request: Request, profile_id: UUID, limit: Annotated[int, Query(ge=1, le=50)] = 10
) -> Recommendations:
    """Best first; each item names what the customer owns that speaks for it. `fallback` where nothing goes with it
    yet: what is popular. Nothing, and `withheld`, for a customer who does not consent to `personalisation`. The id of a
    profile that was merged answers for the surviving one."""
    ports = ports_of(request)
    found = await recommendations(ports.redis, profile_id, limit, withheld({}, ports.policy.purposes))
    if found is None:
        raise NotFound("nothing is known of this profile yet")
    return Recommendations.model_validate(found)


@router.get("/insights/live", responses=errors(400, 503), tags=["insights"], summary="Live figures")
async def get_live_insights(
    request: Request,
    window: Literal["minute", "five_minutes", "hour", "sliding_hour"] = "minute",
    channel: Part = None,
    store: Part = None,
    last: Annotated[int, Query(ge=1, le=1440, description="How many windows, newest first.")] = 1,
) -> LiveInsights:
    """Events, orders, revenue and distinct profiles by channel and store, in windows of event time that end with the
    newest event seen."""
    found = await live_insights(ports_of(request).redis, window, channel, store, last)
    return LiveInsights.model_validate(found)
