"""Webhooks and their deliveries in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.changes.change import Change, Place
from pipeline.changes.position import Position
from pipeline.errors import NotFound
from pipeline.identity.ids import Id
from pipeline.store.database import Transaction
from pipeline.webhooks.schedule import Again, Dead, Delivered, Verdict
from pipeline.webhooks.sending import Outcome


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told of which types where. `disabled_reason` is None where somebody disabled it, and not the house;
    `dead` are its deliveries that wait to be replayed."""

    webhook_id: Id
    url: str
    types: Sequence[str]
    description: str
    created_by: str
    created_at: datetime
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    dead_in_a_row: int
    previous_until: datetime | None
    dead: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to a webhook, and what became of it."""

    delivery_id: Id
    webhook_id: Id
    change_id: str
    type: str
    status: str
    attempts: int
    first_at: datetime
    last_at: datetime
    next_at: datetime | None
    http_status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ChosenDeliveries:
    """Which deliveries: those of which all that is given holds; `since` <= last_at < `until`."""

    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """What delivering to a webhook needs; the secrets as they are stored."""

    url: str
    types: Sequence[str]
    secret: bytes = field(repr=False)
    previous: bytes | None = field(repr=False)
    previous_until: datetime | None
    wrapped: bytes = field(repr=False)
    key_version: int


@dataclass(frozen=True, slots=True)
class Replay:
    """A delivery that is to be sent again."""

    delivery_id: Id
    change_id: str
    body: bytes = field(repr=False)
    attempts: int


def stage_of(webhook_id: Id) -> str:
    """The name under which a webhook's positions are stored."""
    return f"webhook:{webhook_id}"


def read_webhooks(tx: Transaction, limit: int, offset: int = 0) -> tuple[tuple[Webhook, ...], int]:
    """A page of them, the oldest first, and how many there are."""
    rows = tx.rows("read_webhooks", {"webhook": None, "limit": limit, "offset": offset})
    ((total,),) = tx.rows("count_webhooks")
    return tuple(Webhook(*row) for row in rows), total


def read_webhook(tx: Transaction, webhook_id: Id) -> Webhook:
    """One. Raises NotFound."""
    row = tx.row("read_webhooks", {"webhook": webhook_id, "limit": 1, "offset": 0})
    if row is None:
        raise missing(webhook_id)
    return Webhook(*row)


def missing(webhook_id: Id) -> NotFound:
    """There is no such webhook."""
    return NotFound(f"no webhook {webhook_id}")


def place(tx: Transaction, webhook_id: Id, prefix: str, position: Position) -> None:
    """Deliver from these offsets on."""
    parameters = {
        "stage": stage_of(webhook_id),
        "topics": [prefix + topic for topic, _ in position],
        "partitions": [n for _, n in position],
        "offsets": list(position.values()),
    }
    tx.run("place_webhook", parameters)


def places(tx: Transaction, webhook_id: Id, prefix: str) -> dict[Place, int]:
    """From where it is delivered to."""
    rows = tx.rows("webhook_places", {"stage": stage_of(webhook_id)})
    return {(topic.removeprefix(prefix), n): at for topic, n, at in rows}


def note_delivery(
    tx: Transaction,
    webhook_id: Id,
    delivery_id: Id,
    change: Change,
    outcome: Outcome,
    verdict: Verdict,
    attempts: int,
    at: datetime,
) -> None:
    """What became of an attempt to deliver a change; `delivery_id` where it is the first one."""
    parameters = {
        "delivery": delivery_id,
        "webhook": webhook_id,
        "topic": change.place[0],
        "partition": change.place[1],
        "offset": change.offset,
        "change": change.id,
        "type": change.type.value,
        "body": change.body,
        **_noted(outcome, verdict, attempts, at, "failing"),
    }
    tx.run("note_delivery", parameters)


def note_replay(
    tx: Transaction, replay: Replay, outcome: Outcome, verdict: Verdict, attempts: int, at: datetime
) -> None:
    """What became of an attempt to replay one."""
    noted = _noted(outcome, verdict, attempts, at, "replaying")
    tx.run("note_replay", {"delivery": replay.delivery_id, **noted})


def _noted(outcome: Outcome, verdict: Verdict, attempts: int, at: datetime, trying: str) -> dict[str, object]:
    match verdict:
        case Delivered():
            status = "delivered"
        case Again():
            status = trying
        case Dead():
            status = "dead"
    return {
        "status": status,
        "attempts": attempts,
        "at": at,
        "next": verdict.at if isinstance(verdict, Again) else None,
        "http_status": outcome.status,
        "error": outcome.error,
    }
