"""Webhooks: added, changed, tested and removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.documentation import WRITE, errors
from gateway.idempotency import OnceRoute
from gateway.links import Links, leading_to, link
from gateway.models import Page
from gateway.occasions import occasion_of
from gateway.paging import Paged
from gateway.paths import before_act
from gateway.ports import ports_of
from gateway.rights import actor_of, needs
from gateway.webhook_models import (
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
from pipeline.webhooks.desk import WebhookDesk
from pipeline.webhooks.trial import send_test

router = APIRouter(
    prefix="/v1/webhooks", tags=["webhooks"], dependencies=[needs(Scope.ADMIN)], route_class=OnceRoute
)

Answer = TypeVar("Answer")
ACTED = errors(*WRITE, 404)
"""How a write on one webhook may end."""
_ONE = "/" + before_act("webhook_id")
ASKED = "$request.path.webhook_id"


def about(webhook_id: str, *names: str) -> Links:
    """What can be asked of the webhook whose id stands there: all, or what is named."""
    chosen = names or _OF_WEBHOOK.keys()
    return {name: link(*_OF_WEBHOOK[name], {"webhook_id": webhook_id}) for name in chosen}


_OF_WEBHOOK = {
    "webhook": ("get_webhook", "As it is now."),
    "change": ("change_webhook", "Change it."),
    "rotate": ("rotate_secret", "Another secret."),
    "test": ("test_webhook", "Send it a test message."),
    "deliveries": ("list_deliveries", "What was sent to it."),
    "replay": ("replay_deliveries", "Send it many again."),
    "remove": ("remove_webhook", "Remove it."),
}


@router.post(
    "",
    status_code=201,
    responses={
        **leading_to(about("$response.body#/webhook/webhook_id"), status=201),
        **errors(*WRITE),
    },
    summary="Add a webhook",
)
async def add_webhook(request: Request, body: WebhookRequest) -> WebhookSecret:
    """From now on it is sent each change of its types, signed as Standard Webhooks has it (docs/change-feed.md). Its
    secret is told here, and never again. 400 says why an address may not be sent to."""
    actor, occasion = actor_of(request, body.actor), occasion_of(request)
    added = await at_desk(
        request, lambda desk: desk.add(body.url, body.types, body.description, actor, body.begin, occasion)
    )
    return WebhookSecret.model_validate(as_data(added))


@router.get(
    "",
    responses={
        **leading_to(about("$response.body#/data/0/webhook_id", "webhook", "deliveries")),
        **errors(400, 503),
    },
    summary="Webhooks",
)
async def list_webhooks(request: Request, paging: Paged) -> Page[Webhook]:
    """The oldest first."""
    found, total = await at_desk(request, lambda desk: desk.listed(paging.limit, paging.offset))
    return paging.of([Webhook.model_validate(as_data(one)) for one in found], total)


@router.get(
    _ONE,
    responses={**leading_to(about(ASKED, "change", "deliveries")), **errors(400, 404, 503)},
    summary="One webhook",
)
async def get_webhook(request: Request, webhook_id: UUID) -> Webhook:
    """As it is now, without its secret."""
    return _shown(await at_desk(request, lambda desk: desk.found(_id(webhook_id))))


@router.patch(
    _ONE, responses={**leading_to(about(ASKED, "webhook", "test")), **ACTED}, summary="Change a webhook"
)
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

    return _shown(await at_desk(request, change))


@router.delete(
    _ONE,
    status_code=204,
    response_class=Response,
    responses={**leading_to({"rest": link("list_webhooks", "Those that are left.")}, status=204), **ACTED},
    summary="Remove a webhook",
)
async def remove_webhook(request: Request, webhook_id: UUID) -> Response:
    """It is told of nothing more; its deliveries and its secret are gone."""
    actor, occasion = actor_of(request, None), occasion_of(request)
    await at_desk(request, lambda desk: desk.remove(_id(webhook_id), actor, occasion))
    return Response(status_code=204)


@router.post(
    "/{webhook_id}:rotate",
    responses={**leading_to(about(ASKED, "test")), **ACTED},
    summary="Another secret",
)
async def rotate_secret(request: Request, webhook_id: UUID, body: Rotation) -> WebhookSecret:
    """Told here, and never again. Until the overlap is over what is sent is signed by both."""
    overlap, actor, occasion = (
        timedelta(hours=body.overlap_hours),
        actor_of(request, None),
        occasion_of(request),
    )
    rotated = await at_desk(request, lambda desk: desk.rotate(_id(webhook_id), overlap, actor, occasion))
    return WebhookSecret.model_validate(as_data(rotated))


@router.post("/{webhook_id}:test", responses=ACTED, summary="Send a test message")
async def test_webhook(request: Request, webhook_id: UUID) -> Tried:
    """One of type `webhook.test`, signed, at once and once, whether or not the webhook is enabled."""
    keyed = await at_desk(request, lambda desk: desk.keyed(_id(webhook_id)))
    ports = ports_of(request)
    return Tried.model_validate(await send_test(keyed, ports.settings, ports.new_id()))


async def at_desk(request: Request, act: Callable[[WebhookDesk], Answer]) -> Answer:
    """What comes of an act at the desk, in a thread of its own."""

    def run() -> Answer:
        with ports_of(request).webhooks() as desk:
            return act(desk)

    return await asyncio.to_thread(run)


def _shown(found: object) -> Webhook:
    return Webhook.model_validate(as_data(found))


def _id(one: UUID) -> Id:
    return Id(one.bytes)
