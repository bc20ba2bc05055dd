"""Calls about webhooks: who is told of changes where, and what became of what was sent to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from client.call import Call
from client.calls.making import Ident, delete, get, ident, moment, patch, post, written
from gateway.models import Page
from gateway.webhook_models import Delivery, DeliveryDetail, Replaying, Tried, Webhook, WebhookSecret


def webhooks(*, page: int = 1, limit: int = 20) -> Call[Page[Webhook]]:
    """All of them, the oldest first."""
    return get("/v1/webhooks", Page[Webhook], page=page, limit=limit)


def webhook(webhook_id: Ident) -> Call[Webhook]:
    """One of them."""
    return get(f"/v1/webhooks/{ident(webhook_id)}", Webhook)


def add_webhook(
    url: str,
    *,
    types: Sequence[str] = (),
    description: str = "",
    begin: Literal["earliest", "latest"] = "latest",
    actor: str | None = None,
    once: str | None = None,
) -> Call[WebhookSecret]:
    """Have changes of these types (none: all) sent to an address. Its secret is told here, and never again."""
    body = {"url": url, "types": [*types], "description": description, "from": begin, "actor": actor}
    return post("/v1/webhooks", body, WebhookSecret, written(once))


def change_webhook(
    webhook_id: Ident,
    *,
    url: str | None = None,
    types: Sequence[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
    begin: Literal["earliest", "latest"] | None = None,
    once: str | None = None,
) -> Call[Webhook]:
    """Change what is given. Enabled, it goes on where it stood, or where `begin` says."""
    body = {"url": url, "types": types, "description": description, "enabled": enabled, "from": begin}
    return patch(f"/v1/webhooks/{ident(webhook_id)}", body, Webhook, written(once))


def remove_webhook(webhook_id: Ident, *, once: str | None = None) -> Call[None]:
    """Tell it of nothing more; its deliveries and its secret are gone."""
    return delete(f"/v1/webhooks/{ident(webhook_id)}", written(once))


def rotate_webhook(
    webhook_id: Ident, *, overlap_hours: float = 24, once: str | None = None
) -> Call[WebhookSecret]:
    """Another secret, told here and never again. Until the overlap is over what is sent is signed by both."""
    path, body = f"/v1/webhooks/{ident(webhook_id)}:rotate", {"overlap_hours": overlap_hours}
    return post(path, body, WebhookSecret, written(once))


def try_webhook(webhook_id: Ident, *, once: str | None = None) -> Call[Tried]:
    """Send it a message of type `webhook.test`, at once and once."""
    return post(f"/v1/webhooks/{ident(webhook_id)}:test", None, Tried, written(once))


def deliveries(
    webhook_id: Ident,
    *,
    status: Literal["failing", "delivered", "dead", "replaying"] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    page: int = 1,
    limit: int = 20,
) -> Call[Page[Delivery]]:
    """What was sent to a webhook, the latest attempt first; `since` <= the last attempt < `until`."""
    path = f"/v1/webhooks/{ident(webhook_id)}/deliveries"
    chosen = {"status": status, "since": moment(since), "until": moment(until)}
    return get(path, Page[Delivery], page=page, limit=limit, **chosen)


def delivery(webhook_id: Ident, delivery_id: Ident) -> Call[DeliveryDetail]:
    """One of them, with what is sent."""
    return get(f"/v1/webhooks/{ident(webhook_id)}/deliveries/{ident(delivery_id)}", DeliveryDetail)


def replay_delivery(webhook_id: Ident, delivery_id: Ident, *, once: str | None = None) -> Call[Replaying]:
    """Send one again, under the same `webhook-id`."""
    path = f"/v1/webhooks/{ident(webhook_id)}/deliveries/{ident(delivery_id)}:replay"
    return post(path, None, Replaying, written(once))


def replay_deliveries(
    webhook_id: Ident,
    *,
    status: Literal["delivered", "dead"] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    dry_run: bool = False,
    once: str | None = None,
) -> Call[Replaying]:
    """Send again what was delivered or is dead: all that is given must hold; nothing: all of it."""
    body = {"status": status, "since": since, "until": until, "dry_run": dry_run}
    path = f"/v1/webhooks/{ident(webhook_id)}/deliveries:replay"
    return post(path, body, Replaying, written(once))
