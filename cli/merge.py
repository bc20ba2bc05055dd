"""`retail-brain merge`: undo merges, one or many, take records out of a profile, and join profiles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from pipeline.unmerge.asked import Asked
    from pipeline.unmerge.bulk import Chosen
    from pipeline.unmerge.outcome import Unmerged

app = typer.Typer(
    no_args_is_help=True, help="Merges of profiles: undo them, take records out of a profile, join profiles."
)

Reason = Annotated[str, typer.Option(help="Why; kept in the merge log and the constraint.")]
Actor = Annotated[str, typer.Option(help="Who asks for it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would move, and what blocks it.")]
Plan = Annotated[
    str | None,
    typer.Option(help="The plan that a dry run named: do just that, or nothing.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"]


@app.command()
def rollback(
    reason: Reason,
    merge_log_id: Annotated[
        UUID | None, typer.Argument(help="The merge's id in identity_merge_log; or choose many by options.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=_FORMATS, help="All merges decided from then on (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_FORMATS, help="All merges decided before.")
    ] = None,
    policy_version: Annotated[str | None, typer.Option(help="All merges made by this policy.")] = None,
    model_version: Annotated[str | None, typer.Option(help="All merges made by this model.")] = None,
    by: Annotated[
        str | None, typer.Option(help="All merges this steward approved; otherwise the pipeline's own.")
    ] = None,
    actor: Actor = "cli",
    dry_run: DryRun = False,
    plan: Plan = None,
    as_json: AsJson = False,
) -> None:
    """Undo a merge, however long ago, or many: sources come back under their old ids, with every event of theirs.

    Many are chosen by --since, --until, --policy-version, --model-version and --by, and undone as a dry run told
    (--plan).
    """
    from pipeline.unmerge.bulk import Chosen

    chosen = Chosen(_utc(since), _utc(until), policy_version, model_version, by)
    asked = _asked(actor, reason, dry_run, plan)
    if merge_log_id is None:
        _rollback_many(chosen, asked, as_json)
    elif chosen != Chosen():
        raise typer.BadParameter("name one merge, or choose many by options: not both")
    else:
        _rollback_one(merge_log_id, asked, as_json)


def _asked(actor: str, reason: str, dry_run: bool, plan: str | None) -> Asked:
    from datetime import UTC

    from pipeline.unmerge.asked import Asked

    return Asked(actor, reason, datetime.now(UTC), dry_run, plan)


def _rollback_one(merge_log_id: UUID, asked: Asked, as_json: bool) -> None:
    from cli.steward import stewardship
    from pipeline.identity.ids import Id
    from pipeline.unmerge.rollback import rollback_merge

    with stewardship() as by:
        done = rollback_merge(by, Id(merge_log_id.bytes), asked)
    _tell(done, as_json)


def _rollback_many(chosen: Chosen, asked: Asked, as_json: bool) -> None:
    from cli.progress import steps
    from cli.steward import stewardship
    from pipeline.unmerge.bulk import Chosen, rollback_many

    if chosen == Chosen():
        raise typer.BadParameter("name a merge, or choose many by --since, --policy-version, ...")
    if not asked.rehearse and asked.plan is None:
        raise typer.BadParameter("many are undone as planned: make a --dry-run first, then give its --plan")
    what = "groups of merges"
    with stewardship() as by, steps(what, quiet=as_json) as shown:
        found = rollback_many(by, chosen, asked, lambda done, of: shown(what, done, of))
    _tell_many(found, as_json)


@app.command()
def split(
    profile_id: Annotated[UUID, typer.Argument(help="The profile that holds somebody else's records.")],
    reason: Reason,
    record: Annotated[
        list[UUID] | None, typer.Option(help="A record to take out; as often as needed.")
    ] = None,
    event: Annotated[
        list[UUID] | None, typer.Option(help="An event whose record is to be taken out; as often as needed.")
    ] = None,
    actor: Actor = "cli",
    dry_run: DryRun = False,
    plan: Plan = None,
    as_json: AsJson = False,
) -> None:
    """Take records out of a profile, for good: they make a customer of their own, or join the one they belong to."""
    from cli.steward import stewardship
    from pipeline.identity.ids import Id
    from pipeline.unmerge.taking_out import take_out

    records, events = ([Id(i.bytes) for i in given or ()] for given in (record, event))
    with stewardship() as by:
        done = take_out(by, Id(profile_id.bytes), records, events, _asked(actor, reason, dry_run, plan))
    _tell(done, as_json)


@app.command()
def join(
    profiles: Annotated[list[UUID], typer.Argument(help="The profiles that are one customer; 2 to 10.")],
    reason: Reason,
    actor: Actor = "cli",
    dry_run: DryRun = False,
    plan: Plan = None,
    as_json: AsJson = False,
) -> None:
    """Make profiles one customer, whatever the evidence says; later records keep to it."""
    import orjson

    from cli.steward import stewardship
    from pipeline.explain.report import as_data
    from pipeline.identity.ids import Id
    from pipeline.joining import join_profiles
    from pipeline.unmerge.text import told_joined

    with stewardship() as by:
        done = join_profiles(by, [Id(p.bytes) for p in profiles], _asked(actor, reason, dry_run, plan))
    typer.echo(orjson.dumps(as_data(done)).decode() if as_json else told_joined(done), nl=as_json)


def _utc(at: datetime | None) -> datetime | None:
    from datetime import UTC

    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _tell(found: Unmerged, as_json: bool) -> None:
    import orjson

    from pipeline.explain.report import as_data
    from pipeline.unmerge.text import told

    typer.echo(orjson.dumps(as_data(found)).decode() if as_json else told(found), nl=as_json)


def _tell_many(found: Sequence[Unmerged], as_json: bool) -> None:
    import orjson

    from pipeline.explain.report import as_data
    from pipeline.unmerge.bulk import plan_of_all
    from pipeline.unmerge.text import told_many

    plan = plan_of_all(found)
    if as_json:
        typer.echo(orjson.dumps({"plan": plan, "groups": [as_data(one) for one in found]}).decode())
    else:
        typer.echo(told_many(found, plan), nl=False)
