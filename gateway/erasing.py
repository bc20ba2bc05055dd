"""Forgetting a customer over HTTP, and the receipt of it."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from starlette.requests import Request

from gateway.documentation import WRITE, errors
from gateway.idempotency import OnceRoute
from gateway.links import leading_to, link
from gateway.models import View
from gateway.occasions import occasion_of
from gateway.ports import ports_of
from gateway.rights import actor_of, needs
from gateway.taken import Named, Why
from pipeline.api_keys.scope import Scope
from pipeline.erasure.erase import Erased
from pipeline.erasure.receipt import Receipt
from pipeline.errors import NotFound
from pipeline.identity.ids import Id
from pipeline.unmerge.asked import Asked

router = APIRouter(
    prefix="/v1/profiles", tags=["privacy"], dependencies=[needs(Scope.PRIVACY)], route_class=OnceRoute
)


class SignedReceipt(View):
    """A receipt and its signature: Ed25519 over the receipt's JSON with sorted names and without spaces.
    `retail-brain erase verify FILE` checks it."""

    receipt: Receipt
    key_version: int
    public_key: str = Field(description="Base64, 32 bytes.")
    signature: str = Field(description="Base64, 64 bytes.")


class Erasure(View):
    """What an erasure did, or a dry run would do."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "profile_id": "019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10",
                "profiles": ["019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10"],
                "done": {"data keys": 14, "events": 9, "identity records": 5},
                "plan": "3f1c9a0b7d2e4856",
                "dry_run": True,
                "receipt": None,
            }
        }
    )

    profile_id: UUID = Field(description="The customer.")
    profiles: list[UUID] = Field(description="All ids that led to the customer: none of them is given again.")
    done: dict[str, int] = Field(description="What was destroyed or deleted, by kind.")
    plan: str = Field(description="Names what is erased: send it with the act, and just that is.")
    dry_run: bool
    receipt: SignedReceipt | None = Field(description="Null of a dry run. Keep it: it is the proof.")

    @classmethod
    def of(cls, erased: Erased) -> Erasure:
        """The same."""
        return cls(
            profile_id=UUID(bytes=bytes(erased.profile_id)),
            profiles=[UUID(bytes=bytes(p)) for p in erased.profiles],
            done=dict(erased.done),
            plan=erased.plan,
            dry_run=erased.rehearsed,
            receipt=None if erased.receipt is None else _read(erased.receipt),
        )


def _read(document: bytes) -> SignedReceipt:
    return SignedReceipt.model_validate(orjson.loads(document))


Reason = Annotated[
    Why, Query(description="Why: kept in the receipt. Name nobody in it.", examples=["request 2026-17"])
]
Actor = Annotated[Named | None, Query(description="Who decided; not given, the API key's name.")]
Plan = Annotated[
    str | None,
    Query(pattern="^[0-9a-f]{16}$", description="What a dry run named: just that happens, or nothing (409)."),
]


_LEADS = {
    "do": link(
        "delete_profile",
        "As it was rehearsed, or not at all.",
        {
            "profile_id": "$response.body#/profile_id",
            "reason": "$request.query.reason",
            "plan": "$response.body#/plan",
        },
    ),
    "receipt": link(
        "get_erasure", "The receipt again.", {"profile_id": "$response.body#/receipt/receipt/profiles/0"}
    ),
}


@router.delete(
    "/{profile_id}",
    responses={**leading_to(_LEADS), **errors(*WRITE, 404)},
    summary="Forget a customer",
)
async def delete_profile(
    request: Request,
    profile_id: UUID,
    reason: Reason,
    actor: Actor = None,
    dry_run: Annotated[bool, Query(description="Only say what would go.")] = False,
    plan: Plan = None,
) -> Erasure:
    """For good. Destroys the data keys of the customer's raw events, records and dead letters, so that nothing opens
    them in any table or topic, and deletes hashes, match keys, evidence, events and vectors; caches and consumers are
    told by tombstones. Events that come again bring nobody back, and who comes back is somebody else. `events.raw`
    alone holds plaintext until its retention ends: the receipt says when. The id of a profile that was merged forgets
    the whole customer. 404 of one that was erased before: `GET .../erasure` has its receipt."""
    ports = ports_of(request)
    asked = Asked(actor_of(request, actor), reason, ports.clock(), dry_run, plan, occasion_of(request))
    return Erasure.of(await asyncio.to_thread(ports.steward.erase, Id(profile_id.bytes), asked))


@router.get("/{profile_id}/erasure", responses=errors(400, 404, 503), summary="The receipt of an erasure")
async def get_erasure(request: Request, profile_id: UUID) -> SignedReceipt:
    """By any id that led to the customer."""
    rows = await ports_of(request).store.rows("erasure_of", [profile_id])
    if not rows:
        raise NotFound("no profile of this id was erased")
    return _read(bytes(rows[0]["receipt"]))
