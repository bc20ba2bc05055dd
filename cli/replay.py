"""`retail-brain replay`: what today's logic makes of the stored events, beside the live house, and in its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.replay.activate import Activated
    from pipeline.replay.difference import Difference
    from pipeline.replay.logic import Logic
    from pipeline.replay.shadow import Shadow
    from pipeline.replay.shown import ShownChange

BEGINNING = "beginning"


def replay(
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="`beginning`, or a time (UTC): events accepted from then on are normalized anew, older ones "
            "keep their records. A shadow that was begun knows.",
            show_default=False,
        ),
    ] = None,
    shadow: Annotated[str, typer.Option(help="The schema to decide them in.")] = "shadow",
    show: Annotated[int, typer.Option(min=0, help="How many changes to show.")] = 10,
    activate: Annotated[
        bool, typer.Option("--activate", help="Put what the shadow holds in force, in one transaction.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why it is put in force; kept in the merge log.", show_default=False)
    ] = None,
    actor: Annotated[str, typer.Option(help="Who puts it in force, or removes it.")] = "cli",
    plan: Annotated[
        str | None,
        typer.Option(help="The plan that was shown: activate just that, or nothing.", show_default=False),
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Remove the shadow.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Decide the stored events again by today's logic, beside the live house, and show what would change.

    Can be ended at any time, and run again to go on. Stewards' constraints stay in force. Values are masked.
    """
    if drop and activate:
        raise typer.BadParameter("--activate or --drop, not both")
    if (reason is not None or plan is not None) and not activate:
        raise typer.BadParameter("--reason and --plan belong to --activate")
    if activate and reason is None:
        raise typer.BadParameter("--activate needs a --reason, for those who ask later")
    with _opened(shadow) as (opened, logic):
        if drop:
            _drop(opened, actor, as_json)
        elif activate and reason is not None:
            _activate(opened, logic, actor, reason, plan, as_json)
        else:
            _build(opened, logic, from_, show, as_json)


@contextmanager
def _opened(schema: str) -> Iterator[tuple[Shadow, Logic]]:
    from infra.addresses import effective_settings
    from pipeline.configuration import load_model, load_policy
    from pipeline.privacy import keyring
    from pipeline.replay.logic import Logic
    from pipeline.replay.shadow import Shadow, shadow_database
    from schemas.codec import load_codec

    settings = effective_settings()
    with shadow_database(settings.postgres_dsn.get_secret_value(), schema) as database:
        ring, codec = keyring.load_key_ring(settings), load_codec(settings)
        yield (
            Shadow(database, schema),
            Logic(settings, ring, codec, load_model(settings), load_policy(settings)),
        )


def _build(shadow: Shadow, logic: Logic, from_: str | None, show: int, as_json: bool) -> None:
    from datetime import UTC

    from cli.progress import steps
    from pipeline.privacy.mask import masked
    from pipeline.replay.activate import compare
    from pipeline.replay.build import Builder
    from pipeline.replay.shown import shown

    with steps("events", quiet=as_json) as progress:
        shadow.begin(logic, _since(shadow, from_), datetime.now(UTC))
        builder = Builder(shadow, logic)
        builder.build(progress)
        found = compare(shadow, builder)
    with shadow.database.transaction() as tx:
        examples = shown(tx, found, logic.ring, masked, show)
    _tell(found, examples, shadow, logic, as_json)


def _since(shadow: Shadow, given: str | None) -> datetime | None:
    """The time that is asked for, or that a shadow was begun with. Raises BadInput."""
    from pipeline.errors import BadInput, NotFound
    from pipeline.replay.logic import moment

    if given is not None:
        return None if given == BEGINNING else moment(given)
    try:
        with shadow.database.transaction() as tx:
            return shadow.state(tx).from_time
    except NotFound as exc:
        raise BadInput("--from", f"say from when on: a time, or `{BEGINNING}`") from exc


def _activate(shadow: Shadow, logic: Logic, actor: str, reason: str, plan: str | None, as_json: bool) -> None:
    from datetime import UTC

    from cli.progress import steps
    from pipeline.replay.activate import activate
    from pipeline.replay.build import Builder
    from pipeline.unmerge.asked import Asked

    asked = Asked(actor, reason, datetime.now(UTC), plan=plan)
    with steps("activate", quiet=as_json) as progress:
        done = activate(shadow, Builder(shadow, logic), logic, asked, progress)
    _tell_activation(done, reason, _decides_otherwise(shadow, logic), as_json)


def _drop(shadow: Shadow, actor: str, as_json: bool) -> None:
    from datetime import UTC, datetime

    import orjson

    from pipeline.audit.actions import Action
    from pipeline.audit.entry import AuditEntry, named
    from pipeline.store.audit import write_audit

    objects = named("shadow", shadow.schema)
    with shadow.database.transaction() as tx:
        shadow.drop(tx)
        write_audit(tx, AuditEntry(Action.REPLAY_DROPPED, actor, datetime.now(UTC), objects=objects))
    told = {"dropped": shadow.schema}
    typer.echo(orjson.dumps(told).decode() if as_json else f"Shadow {shadow.schema} is removed.")


def _tell(
    found: Difference, examples: tuple[ShownChange, ...], shadow: Shadow, logic: Logic, as_json: bool
) -> None:
    import orjson

    from pipeline.explain.report import as_data
    from pipeline.replay.text import told

    note = _decides_otherwise(shadow, logic)
    if as_json:
        data = {**found.as_dict(), "examples": as_data(examples), "note": note}
        typer.echo(orjson.dumps(data).decode())
    else:
        typer.echo(told(found, examples, shadow.schema, note), nl=False)


def _tell_activation(done: Activated, reason: str, note: str | None, as_json: bool) -> None:
    import orjson

    from pipeline.replay.text import told_activation

    if as_json:
        data = {**done.difference.as_dict(), "published": dict(done.published), "note": note}
        typer.echo(orjson.dumps(data).decode())
    else:
        typer.echo(told_activation(done.difference, done.published, reason, note), nl=False)


def _decides_otherwise(shadow: Shadow, logic: Logic) -> str | None:
    """A warning where the resolve stage does not decide by today's logic."""
    from pipeline.resolver import STAGE

    with shadow.database.transaction() as tx:
        row = tx.row("in_force", {"stage": STAGE, "at": None})
    if row is None or (row[0], row[1]) == (logic.model.version, logic.policy.version):
        return None
    return (
        f"The resolve stage decides by {row[0]} and {row[1]}, and not by {logic.model.version} and "
        f"{logic.policy.version}: start the stages with today's logic, or what comes after an activation is "
        "decided by the old one again."
    )
