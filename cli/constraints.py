"""`retail-brain constraints`: what stewards and rollbacks said of records, and taking it back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="What stewards and rollbacks said of records: list it, look at it, take it back.",
)


class Kind(StrEnum):
    """What a constraint says."""

    MUST_LINK = "must_link"
    CANNOT_LINK = "cannot_link"


ConstraintId = Annotated[UUID, typer.Argument(help="The constraint's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_(
    profile: Annotated[
        UUID | None, typer.Option(help="Only those on records of this profile, or whom it was merged into.")
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only those of this kind.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only those of this steward.")] = None,
    review: Annotated[UUID | None, typer.Option(help="Only those that answer this review.")] = None,
    revoked: Annotated[
        bool | None,
        typer.Option("--revoked/--standing", help="Only those taken back, or only those that stand."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """What was said, the newest first."""
    import orjson

    from infra.addresses import effective_settings
    from pipeline.explain.constraints import listed
    from pipeline.explain.report import as_data
    from pipeline.store.constraints import Wanted, read_constraints
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role

    wanted = Wanted(profile, kind, actor, review, revoked)
    dsn = as_role(effective_settings(), Role.ANALYST)
    with Database(dsn, "cli") as database, database.transaction() as tx:
        found = read_constraints(tx, wanted, limit + 1)
    if as_json:
        data = {"constraints": [as_data(one) for one in found[:limit]], "more": len(found) > limit}
        typer.echo(orjson.dumps(data).decode())
    else:
        typer.echo(listed(found, limit), nl=False)


@app.command()
def show(constraint_id: ConstraintId, as_json: AsJson = False) -> None:
    """One of them: whose records it names, who said it and why, and whether it stands."""
    import orjson

    from infra.addresses import effective_settings
    from pipeline.explain.constraints import shown
    from pipeline.explain.report import as_data
    from pipeline.identity.ids import Id
    from pipeline.store.constraints import read_constraint
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role

    dsn = as_role(effective_settings(), Role.ANALYST)
    with Database(dsn, "cli") as database, database.transaction() as tx:
        found = read_constraint(tx, Id(constraint_id.bytes))
    typer.echo(orjson.dumps(as_data(found)).decode() if as_json else shown(found), nl=as_json)


@app.command()
def revoke(
    constraint_id: ConstraintId,
    reason: Annotated[str, typer.Option(help="Why; kept in the constraint and the merge log.")],
    actor: Annotated[str, typer.Option(help="Who does it.")] = "cli",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would move.")] = False,
    plan: Annotated[
        str | None,
        typer.Option(help="The plan that a dry run named: do just that, or nothing.", show_default=False),
    ] = None,
    etag: Annotated[
        str | None,
        typer.Option(help="Only if it is still what was read, whose ETag `show` tells.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take it back: all whom it names are decided afresh without it. Of an answer to a review, the whole answer."""
    from datetime import UTC, datetime

    import orjson

    from cli.steward import seen, stewardship
    from pipeline.explain.constraints import told_revoked
    from pipeline.explain.report import as_data
    from pipeline.identity.ids import Id
    from pipeline.revoking import revoke_constraint
    from pipeline.unmerge.asked import Asked

    asked = Asked(actor, reason, datetime.now(UTC), dry_run, plan)
    with stewardship() as by:
        done = revoke_constraint(by, Id(constraint_id.bytes), asked, seen=seen(etag))
    typer.echo(orjson.dumps(as_data(done)).decode() if as_json else told_revoked(done), nl=as_json)
