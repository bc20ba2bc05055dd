"""Webhooks: added, changed, tested and removed, and what became of what was sent to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal, TypeVar
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.documentation import BODY, errors
from gateway.letter_models import Time
from gateway.models import Page
from gateway.occasions import occasion_of
from gateway.paging import Paged
from gateway.ports import ports_of
from gateway.rights import actor_of, needs
from gateway.webhook_models import (
    Delivery,
    DeliveryDetail,
    ReplayChoice,
    Replaying,
    Rotation,
    Tried,
    Webhook,
    WebhookChange,
    WebhookRequest,
    WebhookSecret,
)
from pipeline.api_keys.scope import Scope
from pipeline.explain.report import as_data
from pipeline.identity.ids import Id
from pipeline.store.webhooks import ChosenDeliveries
from pipeline.webhooks.desk import WebhookDesk
from pipeline.webhooks.trial import send_test

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], dependencies=[needs(Scope.ADMIN)])

Answer = TypeVar("Answer")
Status = Annotated[
    Literal["failing", "delivered", "dead", "replaying"] | None,
    Query(description="Only those of this status."),
]


@router.post("", status_code=201, responses=errors(*BODY, 409), summary="Add a webhook")
async def add_webhook(request: Request, body: WebhookRequest) -> WebhookSecret:
    """From now on it is sent each change of its types, signed as Standard Webhooks has it (docs/change-feed.md). Its
    secret is told here, and never again. 400 says why an address may not be sent to."""
    actor, occasion = actor_of(request, body.actor), occasion_of(request)
    added = await _at_desk(
        request, lambda desk: desk.add(body.url, body.types, body.description, actor, body.begin, occasion)
    )
    return WebhookSecret.model_validate(as_data(added))


@router.get("", responses=errors(400, 503), summary="Webhooks")
async def list_webhooks(request: Request, paging: Paged) -> Page[Webhook]:
    """The oldest first."""
    found, total = await _at_desk(request, lambda desk: desk.listed(paging.limit, paging.offset))
    return paging.of([Webhook.model_validate(as_data(one)) for one in found], total)


@router.get("/{webhook_id}", responses=errors(400, 404, 503), summary="One webhook")
async def get_webhook(request: Request, webhook_id: UUID) -> Webhook:
    """As it is now, without its secret."""
    return _shown(await _at_desk(request, lambda desk: desk.found(_id(webhook_id))))


@router.patch("/{webhook_id}", responses=errors(*BODY, 404), summary="Change a webhook")
async def change_webhook(request: Request, webhook_id: UUID, body: WebhookChange) -> Webhook:
    """Changes what is given, within a second or two. Enabled, it goes on where it stood, with nothing counted against
    it."""

    actor, occasion = actor_of(request, None), occasion_of(request)

    def change(desk: WebhookDesk) -> object:
        return desk.change(
            _id(webhook_id),
            actor=actor,
            url=body.url,
            types=body.types,
            description=body.description,
            enabled=body.enabled,
            begin=body.begin,
            occasion=occasion,
        )

    return _shown(await _at_desk(request, change))


@router.delete(
    "/{webhook_id}",
    status_code=204,
    response_class=Response,
    responses=errors(400, 404, 503),
    summary="Remove a webhook",
)
async def remove_webhook(request: Request, webhook_id: UUID) -> Response:
    """It is told of nothing more; its deliveries and its secret are gone."""
    actor, occasion = actor_of(request, None), occasion_of(request)
    await _at_desk(request, lambda desk: desk.remove(_id(webhook_id), actor, occasion))
    return Response(status_code=204)


@router.post("/{webhook_id}:rotate", responses=errors(*BODY, 404), summary="Another secret")
async def rotate_secret(request: Request, webhook_id: UUID, body: Rotation) -> WebhookSecret:
    """Told here, and never again. Until the overlap is over what is sent is signed by both."""
    overlap, actor, occasion = (
        timedelta(hours=body.overlap_hours),
        actor_of(request, None),
        occasion_of(request),
    )
    rotated = await _at_desk(request, lambda desk: desk.rotate(_id(webhook_id), overlap, actor, occasion))
    return WebhookSecret.model_validate(as_data(rotated))


@router.post("/{webhook_id}:test", responses=errors(400, 404, 503), summary="Send a test message")
async def test_webhook(request: Request, webhook_id: UUID) -> Tried:
    """One of type `webhook.test`, signed, at once and once, whether or not the webhook is enabled."""
    keyed = await _at_desk(request, lambda desk: desk.keyed(_id(webhook_id)))
    ports = ports_of(request)
    return Tried.model_validate(await send_test(keyed, ports.settings, ports.new_id()))


@router.get("/{webhook_id}/deliveries", responses=errors(400, 404, 503), summary="What was sent to a webhook")
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
    found, total = await _at_desk(
        request, lambda desk: desk.deliveries.listed(_id(webhook_id), chosen, paging.limit, paging.offset)
    )
    return paging.of([Delivery.model_validate(as_data(one)) for one in found], total)


@router.get(
    "/{webhook_id}/deliveries/{delivery_id}",
    responses=errors(400, 404, 503),
    summary="One delivery, and what is sent",
)
async def get_delivery(request: Request, webhook_id: UUID, delivery_id: UUID) -> DeliveryDetail:
    """With its body, which is free of personal data, as its topic is."""
    found, body = await _at_desk(
        request, lambda desk: desk.deliveries.found(_id(webhook_id), _id(delivery_id))
    )
    return DeliveryDetail(**Delivery.model_validate(as_data(found)).model_dump(), body=orjson.loads(body))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}:replay",
    responses=errors(400, 404, 409, 503),
    summary="Send one again",
)
async def replay_delivery(request: Request, webhook_id: UUID, delivery_id: UUID) -> Replaying:
    """Under the same `webhook-id`, beside what comes meanwhile; `version` says what is older. 409 where it is being
    tried already, or the webhook is disabled."""
    await _at_desk(request, lambda desk: desk.deliveries.replay(_id(webhook_id), _id(delivery_id)))
    return Replaying(deliveries=1)


@router.post("/{webhook_id}/deliveries:replay", responses=errors(*BODY, 404, 409), summary="Send many again")
async def replay_deliveries(request: Request, webhook_id: UUID, body: ReplayChoice) -> Replaying:
    """Such as all that are dead, or all that were delivered while a receiver lost what it took."""
    count = await _at_desk(
        request, lambda desk: desk.deliveries.replay_many(_id(webhook_id), body.choice, dry_run=body.dry_run)
    )
    return Replaying(deliveries=count, dry_run=body.dry_run)


async def _at_desk(request: Request, act: Callable[[WebhookDesk], Answer]) -> Answer:
    def run() -> Answer:
        with ports_of(request).webhooks() as desk:
            return act(desk)

    return await asyncio.to_thread(run)


def _shown(found: object) -> Webhook:
    return Webhook.model_validate(as_data(found))


def _id(one: UUID) -> Id:
    return Id(one.bytes)
