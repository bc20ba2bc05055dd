"""`retail-brain retention`: what is due by the rules, and having it go as planned."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.retention.plan import Plan

app = typer.Typer(no_args_is_help=True, help="Keep what is known for as long as the rules say.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def plan(as_json: AsJson = False) -> None:
    """Say what is due by RB_RETENTION_FILE, by month and type. Nothing goes by this."""
    from datetime import UTC, datetime

    from infra.addresses import effective_settings
    from pipeline.retention.plan import plan as planned
    from pipeline.retention.rules import load_rules
    from pipeline.store.database import Database

    settings = effective_settings()
    rules = load_rules(settings)
    with Database(settings.postgres_dsn.get_secret_value(), "retention") as database:
        found = planned(database, rules, datetime.now(UTC))
    text = found.as_json() if as_json else "\n".join(_lines(found))
    sys.stdout.write(text + "\n")


@app.command()
def enforce(
    plan: Annotated[str, typer.Option(help="The plan that `retention plan` named: do just that.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the report. Name nobody in it.")],
    actor: Annotated[str, typer.Option(help="Who asks for it.")] = "cli",
    as_json: AsJson = False,
) -> None:
    """Have go what a plan says, in batches. Where it ended before its end the same call goes on."""
    from datetime import UTC, datetime

    from cli.progress import steps
    from cli.steward import stewardship
    from pipeline.retention.enforce import enforce as enforced
    from pipeline.unmerge.asked import Asked

    with stewardship(as_owner=True) as by, steps("customers", "months", quiet=as_json) as progress:
        report = enforced(by, Asked(actor, reason, datetime.now(UTC), plan=plan), progress)
    if as_json:
        sys.stdout.write(report.as_json() + "\n")
    else:
        lines = [f"plan {plan} is enforced", *_went(report.done)]
        sys.stdout.write("\n".join(lines) + "\n")


@app.command()
def log() -> None:
    """Print the report of each plan that was enforced, or begun to be, as a line of JSON, the newest first."""
    import orjson

    from infra.addresses import effective_settings
    from pipeline.store.database import Database

    settings = effective_settings()
    names = ("plan_id", "planned_at", "plan", "done", "finished_at", "actor", "reason")
    with (
        Database(settings.postgres_dsn.get_secret_value(), "retention") as database,
        database.snapshot() as tx,
    ):
        for row in tx.rows("retention_runs"):
            sys.stdout.write(orjson.dumps(dict(zip(names, row, strict=True))).decode() + "\n")


def _lines(found: Plan) -> list[str]:
    if not found.months and not found.customers:
        return ["Nothing is due."]
    lines = []
    for d in found.due:
        stay = f", {d.kept:,} stay without body" if d.kept else ""
        lines.append(f"{d.month}  {d.event_type}: {d.events:,} events go{stay}, {d.bodies:,} bodies")
    lines += [f"{month}  {count:,} bodies by their own rule" for month, count in found.bodies.items()]
    lines += [f"{month}  all events: the partition is dropped" for month in found.event_partitions]
    lines += [f"{month}  all raw events: the partition is dropped" for month in found.raw_partitions]
    if found.customers:
        lines.append(f"{found.customers:,} customers are forgotten")
    return [*lines, f"plan {found.plan_id}: give it to `retention enforce --plan` to do just that"]


def _went(done: Mapping[str, int]) -> list[str]:
    return [f"  {count:>9,} {what} gone" for what, count in done.items() if count] or [
        "  nothing was left to go"
    ]
