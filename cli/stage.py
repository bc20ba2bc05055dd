"""`retail-brain stage`: let a paused stage go on."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Stages that wait for somebody: let them go on.")


@app.callback()
def stages() -> None:
    """Stages that wait for somebody: let them go on."""


@app.command()
def resume(
    name: Annotated[str, typer.Argument(help="The stage, as `status` names it.")],
    reason: Annotated[str, typer.Option(help="Why it may; kept with the pause.")],
    actor: Annotated[str, typer.Option(help="Who says so.")] = "cli",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Let a paused stage go on, with nothing counted against it. What it was paused for is handled first."""
    from datetime import UTC, datetime

    import orjson

    from infra.addresses import effective_settings
    from pipeline.explain.report import as_data
    from pipeline.store.database import Database
    from pipeline.store.pauses import resume_stage
    from pipeline.store.roles import Role, as_role

    dsn = as_role(effective_settings(), Role.OPERATOR)
    with Database(dsn, "cli") as database, database.transaction() as tx:
        ended = resume_stage(tx, name, actor, reason, datetime.now(UTC))
    if as_json:
        typer.echo(orjson.dumps(as_data(ended)).decode())
    else:
        typer.echo(f"Resumed. It was: {ended}")
