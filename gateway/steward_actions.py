"""What stewards did, as the audit log has it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from starlette.requests import Request

from gateway.documentation import errors
from gateway.idempotency import OnceRoute
from gateway.links import about, leading_to, link, undoing
from gateway.models import Page, View
from gateway.paging import Paged
from gateway.ports import ports_of
from gateway.rights import needs
from gateway.taken import Moment, Text
from pipeline.api_keys.scope import Scope
from pipeline.store.steward_actions import Deed

router = APIRouter(
    prefix="/v1", tags=["stewardship"], dependencies=[needs(Scope.STEWARD)], route_class=OnceRoute
)


class StewardAction(View):
    """What a steward did; nobody changes it afterwards. What changed nothing left none."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "action_id": 41,
                "acted_at": "2026-01-31T12:00:00Z",
                "actor": "ann",
                "act": "approve",
                "in_bulk": False,
                "review_id": "019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0",
                "profiles": ["019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10", "019c1f3a-52c0-7d10-8b22-7f1e6c4a3b21"],
                "merge_log_ids": ["019c1f3a-5312-7d1e-8a02-3c4d5e6f7081"],
                "details": {},
                "reason": "she has two cards",
                "request_id": "5f2b0c9e0d4b4c1f9a6f",
                "api_key": "api-key:9f86d081",
            }
        }
    )

    action_id: int
    acted_at: datetime
    actor: str
    act: Deed
    in_bulk: bool = Field(description="One of several by one request; they share its request_id.")
    review_id: UUID | None
    profiles: list[UUID] = Field(description="Those it was about, and those it came to.")
    merge_log_ids: list[UUID] = Field(description="Entries of the merge log that it undid or wrote.")
    details: dict[str, object] = Field(
        description="Of assign: assigned_to and was_assigned_to. Of skip: until. Of revoke: constraint_ids."
    )
    reason: str | None = Field(description="Null where none need be given.")
    request_id: str | None = Field(description="Null: it did not come by way of the gateway.")
    api_key: str | None = Field(description="Whose key the request came with, whoever it named as the actor.")


_NEWEST = "$response.body#/data/0/"
_LEADS = {
    "review": link("get_review", "What was answered.", {"review_id": _NEWEST + "review_id"}),
    **undoing(_NEWEST + "merge_log_ids/0"),
    **about(_NEWEST + "profiles/0", "profile"),
}


@router.get(
    "/steward-actions",
    responses={**leading_to(_LEADS), **errors(400, 503)},
    summary="What stewards did",
)
async def list_steward_actions(
    request: Request,
    paging: Paged,
    actor: Annotated[Text | None, Query(max_length=100, description="Only those of this steward.")] = None,
    act: Annotated[Deed | None, Query(description="Only those of this kind.")] = None,
    profile_id: Annotated[
        UUID | None, Query(description="Only those that this profile took part in.")
    ] = None,
    review_id: Annotated[UUID | None, Query(description="Only those on this review.")] = None,
    since: Annotated[Moment | None, Query(description="Only those from then on.")] = None,
) -> Page[StewardAction]:
    """Newest first. Written in the transaction of the act itself; a dry run leaves nothing."""
    store = ports_of(request).store
    chosen = {
        "actor": actor,
        "act": act,
        "profile_id": profile_id,
        "review_id": review_id,
        "since": since,
    }
    rows = await store.rows("read_steward_actions", {**chosen, **paging.window})
    total = await store.rows("count_steward_actions", chosen)
    return paging.of([StewardAction.model_validate(row) for row in rows], total[0]["total"])
