"""The audit log: who did and saw what, when and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from starlette.requests import Request

from gateway.cursors import MAX_CURSOR, Cursors
from gateway.documentation import errors
from gateway.links import about as leads
from gateway.links import leading_to
from gateway.models import View
from gateway.paging import MAX_LIMIT
from gateway.ports import ports_of
from gateway.rights import needs
from gateway.taken import Moment, Text
from pipeline.api_keys.scope import Scope
from pipeline.audit.actions import Action
from pipeline.audit.asked import ABOUT, AskedEntries

router = APIRouter(prefix="/v1", tags=["audit"], dependencies=[needs(Scope.AUDIT)])


class AuditEntry(View):
    """What somebody, or the house itself, did or was shown. Nobody changes it afterwards."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "entry_id": 4711,
                "at": "2026-01-31T12:00:00Z",
                "actor": "ann",
                "action": "steward.approve",
                "profiles": ["019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10", "019c1f3a-52c0-7d10-8b22-7f1e6c4a3b21"],
                "objects": [
                    "review:019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0",
                    "merge_log:019c1f3a-5312-7d1e-8a02-3c4d5e6f7081",
                ],
                "reason": "she has two cards",
                "request_id": "5f2b0c9e0d4b4c1f9a6f",
                "api_key": "back-office",
                "api_key_id": "9f86d081884c7d65",
                "details": {"merge_logs": "0f343b0931126a20f133d67c2b018a3b1f4f6bfbb8ff9dc9d6f2e0b4c1a2d3e4"},
                "seq": 4712,
                "hash": "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
            }
        }
    )

    entry_id: int
    at: datetime
    actor: str
    action: str = Field(description="One of those in docs/reference.md.")
    profiles: list[UUID] = Field(description="Whom it was about.")
    objects: list[str] = Field(description="What else it was about, each as its kind and id.")
    reason: str | None = Field(description="Null where none was given.")
    request_id: str | None = Field(description="Null: it did not come by way of the gateway.")
    api_key: str | None = Field(description="Whose key the request came with, whoever it named as the actor.")
    api_key_id: str | None
    details: dict[str, object] = Field(description="What each action tells beside: docs/reference.md.")
    seq: int | None = Field(description="Its place in the chain; null for the moment until it is chained.")
    hash: str | None = Field(description="The hash of it and of all before it.")


class AuditPage(View):
    """Some entries."""

    data: list[AuditEntry]
    next: str | None = Field(description="Cursor of the next page; null where there is none.")


@router.get(
    "/audit",
    responses={
        **leading_to(leads("$response.body#/data/0/profiles/0", "profile", "timeline")),
        **errors(400, 503),
    },
    summary="The audit log",
)
async def list_audit(
    request: Request,
    actor: Annotated[Text | None, Query(max_length=200, description="Only what this actor did.")] = None,
    action: Annotated[list[Action] | None, Query(description="Only these actions; once or more.")] = None,
    about: Annotated[
        Text | None,
        Query(
            max_length=200,
            json_schema_extra={"pattern": ABOUT},
            description="Only what was about this: an id of a profile or of anything else, or `review:ID`.",
        ),
    ] = None,
    since: Annotated[Moment | None, Query(description="Only those from then on.")] = None,
    until: Annotated[Moment | None, Query(description="Only those before then.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Entries a page.")] = 20,
    cursor: Annotated[
        Text | None, Query(max_length=MAX_CURSOR, description="`next` of the page before.")
    ] = None,
) -> AuditPage:
    """Newest first. What comes while pages are read moves none of them. `retail-brain audit verify` tells whether
    anything of it was changed, and `retail-brain audit export` writes what can be checked without the database."""
    ports = ports_of(request)
    asked = AskedEntries(actor, action or (), about, since, until).parameters()
    cursors = Cursors(ports.ring, "audit by time", asked)
    at, before = cursors.read(cursor) if cursor else (None, None)
    place = {"before_at": at, "before": before, "limit": limit + 1}
    rows = await ports.store.rows("read_audit", {**asked, **place})
    page = rows[:limit]
    last = page[-1] if len(rows) > limit else None
    following = None if last is None else cursors.write((last["at"].isoformat(), last["entry_id"]))
    return AuditPage(data=[AuditEntry.model_validate(row) for row in page], next=following)
