"""What became of what was sent to a webhook, and sending it again."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request

from gateway.documentation import errors
from gateway.idempotency import OnceRoute
from gateway.links import leading_to, link
from gateway.models import Page
from gateway.paging import Paged
from gateway.paths import before_act
from gateway.rights import needs
from gateway.taken import Time
from gateway.webhook_models import Delivery, DeliveryDetail, ReplayChoice, Replaying
from gateway.webhooks import ACTED, ASKED, about, at_desk
from pipeline.api_keys.scope import Scope
from pipeline.explain.report import as_data
from pipeline.identity.ids import Id
from pipeline.store.webhooks import ChosenDeliveries

router = APIRouter(
    prefix="/v1/webhooks/{webhook_id}/deliveries",
    tags=["webhooks"],
    dependencies=[needs(Scope.ADMIN)],
    route_class=OnceRoute,
)

Status = Annotated[
    Literal["failing", "delivered", "dead", "replaying"] | None,
    Query(description="Only those of this status."),
]
_ONE = "/" + before_act("delivery_id")
_FIRST = {"webhook_id": ASKED, "delivery_id": "$response.body#/data/0/delivery_id"}
_SAME = {"webhook_id": ASKED, "delivery_id": "$request.path.delivery_id"}


@router.get(
    "",
    responses={
        **leading_to({"delivery": link("get_delivery", "One of them, and what is sent.", _FIRST)}),
        **errors(400, 404, 503),
    },
    summary="What was sent to a webhook",
)
async def list_deliveries(
    request: Request,
    webhook_id: UUID,
    paging: Paged,
    status: Status = None,
    since: Annotated[Time | None, Query(description="Only those last tried from then on.")] = None,
    until: Annotated[Time | None, Query(description="Only those last tried before then.")] = None,
) -> Page[Delivery]:
    """The latest attempt first."""
    chosen = ChosenDeliveries(status, since, until)
    found, total = await at_desk(
        request, lambda desk: desk.deliveries.listed(_id(webhook_id), chosen, paging.limit, paging.offset)
    )
    return paging.of([Delivery.model_validate(as_data(one)) for one in found], total)


@router.get(
    _ONE,
    responses={
        **leading_to({"replay": link("replay_delivery", "Send it again.", _SAME)}),
        **errors(400, 404, 503),
    },
    summary="One delivery, and what is sent",
)
async def get_delivery(request: Request, webhook_id: UUID, delivery_id: UUID) -> DeliveryDetail:
    """With its body, which is free of personal data, as its topic is."""
    found, body = await at_desk(
        request, lambda desk: desk.deliveries.found(_id(webhook_id), _id(delivery_id))
    )
    return DeliveryDetail(**Delivery.model_validate(as_data(found)).model_dump(), body=orjson.loads(body))


@router.post(
    "/{delivery_id}:replay",
    responses={**leading_to({"delivery": link("get_delivery", "As it stands.", _SAME)}), **ACTED},
    summary="Send one again",
)
async def replay_delivery(request: Request, webhook_id: UUID, delivery_id: UUID) -> Replaying:
    """Under the same `webhook-id`, beside what comes meanwhile; `version` says what is older. 409 where it is being
    tried already, or the webhook is disabled."""
    await at_desk(request, lambda desk: desk.deliveries.replay(_id(webhook_id), _id(delivery_id)))
    return Replaying(deliveries=1)


@router.post(
    ":replay",
    responses={**leading_to(about(ASKED, "deliveries")), **ACTED},
    summary="Send many again",
)
async def replay_deliveries(request: Request, webhook_id: UUID, body: ReplayChoice) -> Replaying:
    """Such as all that are dead, or all that were delivered while a receiver lost what it took."""
    count = await at_desk(
        request, lambda desk: desk.deliveries.replay_many(_id(webhook_id), body.choice, dry_run=body.dry_run)
    )
    return Replaying(deliveries=count, dry_run=body.dry_run)


def _id(one: UUID) -> Id:
    return Id(one.bytes)
