"""One customer by id: what is asked of the gateway most."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.customer import get_summary
from gateway.customer_models import WholeProfile
from gateway.direct import DirectRoute
from gateway.documentation import errors
from gateway.links import about, leading_to, link
from gateway.ports import ports_of
from gateway.revealing import Reveal, in_clear, tell_shown
from gateway.rights import needs
from gateway.states import view
from pipeline.api_keys.scope import Scope

router = APIRouter(
    prefix="/v1/profiles", tags=["profiles"], dependencies=[needs(Scope.READ)], route_class=DirectRoute
)


_ID = "$response.body#/profile_id"
_LEADS = {
    **about(_ID),
    "history": link(
        "get_history",
        "The customer as it stood when it was made.",
        {"profile_id": _ID, "as_of": "$response.body#/created_at"},
    ),
    "export": link("get_export", "All that is known of the customer.", {"profile_id": _ID}),
    "rehearse_erasure": link(
        "delete_profile",
        "What forgetting the customer would destroy.",
        {"profile_id": _ID, "reason": "a rehearsal", "dry_run": True},
    ),
}


@router.get(
    "/{profile_id}",
    response_model=WholeProfile,
    responses={**leading_to(_LEADS), **errors(400, 404, 503)},
    summary="One customer",
)
async def get_profile(
    request: Request,
    profile_id: UUID,
    reveal: Reveal = False,
    include: Annotated[
        Literal["summary"] | None,
        Query(description="`summary`: what `/summary` tells as well, read from Postgres."),
    ] = None,
) -> Response:
    """The golden record with the identity record each value comes from, and the identifiers, masked.

    The id of a profile that was merged answers with the surviving one and says so in `merged_from`. The state may be
    a moment old; `Cache-Control: no-cache` reads what is committed.
    """
    ports = ports_of(request)
    fresh = "no-cache" in request.headers.get("cache-control", "")
    found = await view(ports, profile_id, cached=not fresh, reveal=reveal)
    summary = None if include is None else await get_summary(request, found.profile_id)
    shown = reveal or in_clear(found.golden_record)
    await tell_shown(request, [found.profile_id] if shown else [], reveal=reveal)
    whole = WholeProfile.model_construct(**dict(found), summary=summary)
    return Response(whole.model_dump_json(), media_type="application/json")
