"""`retail-brain webhooks`: added, looked after, tested, and sent to again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cli.dlq_input import id_of, time_of

if TYPE_CHECKING:
    from pipeline.webhooks.desk import WebhookDesk

app = typer.Typer(no_args_is_help=True, help="Webhooks: who is told of changes where, and what became of it.")


class Begin(StrEnum):
    """What is sent first."""

    EARLIEST = "earliest"
    LATEST = "latest"


class Status(StrEnum):
    """What became of a delivery."""

    FAILING = "failing"
    DELIVERED = "delivered"
    DEAD = "dead"
    REPLAYING = "replaying"


WebhookId = Annotated[UUID, typer.Argument(help="The webhook's id.")]
Url = Annotated[str, typer.Argument(help="Public, and https://.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="A type of changes, or profile.*; once or more. None: all.")
]
From = Annotated[
    Begin | None, typer.Option("--from", help="Begin with what comes now, or with all there is.")
]
Since = Annotated[
    str | None, typer.Option(help="Only those last tried from then on: ISO 8601, UTC unless it says.")
]
Until = Annotated[str | None, typer.Option(help="Only those last tried before then.")]
Limit = Annotated[int, typer.Option(min=1, help="The most to list.")]
Actor = Annotated[str, typer.Option(help="Who does it; kept in the audit log.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_(limit: Limit = 100, as_json: AsJson = False) -> None:
    """All webhooks, the oldest first."""
    from pipeline.webhooks.text import listed

    with _desk() as desk:
        found, total = desk.listed(limit)
    _say({"webhooks": found, "total": total}, listed(found, total), as_json)


@app.command()
def add(
    url: Url,
    type_: Types = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    begin: From = Begin.LATEST,
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """Add a webhook, and tell its secret, this once."""
    from pipeline.webhooks.text import keyed

    with _desk() as desk:
        added = desk.add(url, type_ or [], description, actor, (begin or Begin.LATEST).value)
    _say(added, keyed(added), as_json)


@app.command()
def change(
    webhook_id: WebhookId,
    url: Annotated[str | None, typer.Option(help="Send there from now on.")] = None,
    type_: Types = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Go on where it stood, or wait.")
    ] = None,
    begin: From = None,
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """Change what is given."""
    from pipeline.webhooks.text import listed

    with _desk() as desk:
        changed = desk.change(
            id_of(webhook_id),
            actor=actor,
            url=url,
            types=type_,
            description=description,
            enabled=enabled,
            begin=None if begin is None else begin.value,
        )
    _say(changed, listed([changed], 1), as_json)


@app.command()
def rotate(
    webhook_id: WebhookId,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=720, help="How long the old secret stays valid.")
    ] = 24,
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """Make another secret, and tell it, this once."""
    from datetime import timedelta

    from pipeline.webhooks.text import keyed

    with _desk() as desk:
        rotated = desk.rotate(id_of(webhook_id), timedelta(hours=overlap_hours), actor)
    _say(rotated, keyed(rotated), as_json)


@app.command()
def remove(webhook_id: WebhookId, actor: Actor = "cli", as_json: AsJson = False) -> None:
    """Tell it of nothing more; its deliveries and its secret are gone."""
    with _desk() as desk:
        desk.remove(id_of(webhook_id), actor)
    _say({"removed": str(webhook_id)}, "removed\n", as_json)


@app.command("test")
def try_(webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Send a test message from here, at once and once. Exit status 1 unless it is accepted."""
    import asyncio

    from infra.addresses import effective_settings
    from pipeline.ids import new_id
    from pipeline.webhooks.text import tried
    from pipeline.webhooks.trial import send_test

    with _desk() as desk:
        keyed = desk.keyed(id_of(webhook_id))
    result = asyncio.run(send_test(keyed, effective_settings(), new_id()))
    _say(result, tried(result), as_json)
    if not result.accepted:
        raise typer.Exit(1)


@app.command()
def deliveries(
    webhook_id: WebhookId,
    status: Annotated[Status | None, typer.Option(help="Only those of this status.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """What was sent to a webhook, the latest attempt first."""
    from pipeline.store.webhooks import ChosenDeliveries
    from pipeline.webhooks.text import sent

    chosen = ChosenDeliveries(
        None if status is None else status.value, time_of("--since", since), time_of("--until", until)
    )
    with _desk() as desk:
        found, total = desk.deliveries.listed(id_of(webhook_id), chosen, limit)
    _say({"deliveries": found, "total": total}, sent(found, total), as_json)


@app.command()
def replay(
    webhook_id: WebhookId,
    delivery_id: Annotated[UUID | None, typer.Argument(help="One delivery.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that are dead.")] = False,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send again what was delivered or is dead: one, all that are dead, or what was last tried in a time."""
    from pipeline.errors import BadInput
    from pipeline.store.webhooks import ChosenDeliveries

    chosen = ChosenDeliveries("dead" if dead else None, time_of("--since", since), time_of("--until", until))
    if (delivery_id is None) == (chosen == ChosenDeliveries()):
        raise BadInput("which", "name one delivery by its id, or choose by --dead, --since, --until")
    with _desk() as desk:
        if delivery_id is not None and not dry_run:
            desk.deliveries.replay(id_of(webhook_id), id_of(delivery_id))
            count = 1
        else:
            one = None if delivery_id is None else id_of(delivery_id)
            count = desk.deliveries.replay_many(id_of(webhook_id), chosen, delivery_id=one, dry_run=dry_run)
    told = f"{count} {'would be' if dry_run else 'are'} sent again\n"
    _say({"deliveries": count, "dry_run": dry_run}, told, as_json)


def _desk() -> AbstractContextManager[WebhookDesk]:
    from infra.addresses import effective_settings
    from pipeline.privacy.keyring import load_key_ring
    from pipeline.webhooks.desk import webhook_desk

    settings = effective_settings()
    return webhook_desk(settings, load_key_ring(settings), "cli")


def _say(value: object, text: str, as_json: bool) -> None:
    import orjson

    from pipeline.explain.report import as_data

    if not as_json:
        typer.echo(text, nl=False)
    elif isinstance(value, dict):
        typer.echo(orjson.dumps({name: as_data(one) for name, one in value.items()}).decode())
    else:
        typer.echo(orjson.dumps(as_data(value)).decode())
