"""`up`, `down`, `status`, `doctor`, `migrate`, `topics`, `run`: everything about what runs and where."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class Process(StrEnum):
    """Retail Brain's own long-running processes."""

    GATEWAY = "gateway"
    NORMALIZE = "normalize"
    RESOLVE = "resolve"
    RELAY = "relay"
    CACHE = "cache"
    RECOMMENDATIONS = "recommendations"
    EMBEDDINGS = "embeddings"
    INSIGHTS = "insights"
    WEBHOOKS = "webhooks"


MAINS = {
    Process.GATEWAY: "gateway.server",
    Process.NORMALIZE: "pipeline.normalize_stage",
    Process.RESOLVE: "pipeline.resolve_stage",
    Process.RELAY: "pipeline.stream.relay",
    Process.CACHE: "consumers.cache",
    Process.RECOMMENDATIONS: "consumers.recommendations",
    Process.EMBEDDINGS: "consumers.embeddings",
    Process.INSIGHTS: "consumers.insights",
    Process.WEBHOOKS: "consumers.webhooks.process",
}


def up(
    servers_only: Annotated[bool, typer.Option(help="Start Kafka, Postgres and Valkey only.")] = False,
    as_json: Json = False,
) -> None:
    """Start the embedded servers, gateway, stages and consumers, and leave them running. Twice is harmless."""
    from rich.console import Console

    from cli.progress import progress
    from infra import house
    from infra.status import describe
    from pipeline.settings import settings

    with progress(quiet=as_json) as display:
        step = display.add_task("Kafka's jars", total=None)
        told = lambda text: display.reset(step, description=text, total=None)  # noqa: E731
        reached = house.servers_up(
            settings(), told, lambda done, total: display.update(step, completed=done, total=total)
        )
        if not servers_only:
            reached = house.processes_up(reached, told=told)
    if as_json:
        typer.echo(json.dumps(describe(reached)))
        return
    console = Console()
    console.print(f"Kafka     {reached.kafka_bootstrap}")
    console.print(f"Postgres  {reached.postgres_dsn.get_secret_value()}", soft_wrap=True)
    console.print(f"Valkey    {reached.redis_url}")
    if not servers_only:
        console.print(f"Gateway   {house.gateway_url(reached)}/docs")
        key = _key_to_try(reached)
        console.print(f"API key   {key or '(none holds every scope: add one to RB_API_KEYS)'}")
        names = f"GATEWAY={house.gateway_url(reached)} KEY={key} KAFKA={reached.kafka_bootstrap}"
        console.print(f"for the examples of the README: export {names}", soft_wrap=True, highlight=False)
    console.print("`retail-brain status` shows what runs; `retail-brain down` stops it.", highlight=False)


def _key_to_try(reached: Settings) -> str:
    """One that opens all of the README's examples, or nothing: what runs does so without one as well."""
    from pipeline.api_keys.scope import Scope
    from pipeline.errors import ConfigurationError

    try:
        return reached.api_key_for(*Scope)
    except ConfigurationError:
        return ""


def down(as_json: Json = False) -> None:
    """Stop everything that `up` started. Data is kept."""
    from infra.house import down as stop
    from pipeline.settings import settings

    stop(settings().home)
    typer.echo(json.dumps({"stopped": True}) if as_json else "stopped")


def status(as_json: Json = False) -> None:
    """Show what runs, where, and how much memory it takes. Exit status 1 unless all that was started works."""
    from infra.addresses import effective_settings
    from infra.rotation import ROTATE
    from infra.status import describe, table

    found = describe(effective_settings())
    if as_json:
        typer.echo(json.dumps(found))
    else:
        from rich.console import Console

        Console().print(table(found))
        for pause in found["paused"]:
            typer.echo(f"PAUSED: {pause['told']}\n  {pause['mend']}")
        if found["rotation"]:
            typer.echo(f"KEYS ARE BEING ROTATED: {found['rotation']}\n  {ROTATE}")
    if not found["healthy"]:
        raise typer.Exit(1)


def doctor(as_json: Json = False) -> None:
    """Say what is missing or wrong, and how to mend it. Exit status 1 if anything is but a paused stage or
    a rotation of the keys that is not at its end."""
    from infra.addresses import effective_settings
    from infra.doctor import examine

    findings = examine(effective_settings())
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        from rich.console import Console

        console = Console(highlight=False)
        for finding in findings:
            console.print(
                "[green]ok[/]  " if finding.ok else "[red]BAD[/] ", f"{finding.what}: {finding.found}"
            )
            if not finding.ok:
                console.print(f"      mend: {finding.mend}")
    if not all(finding.ok or not finding.blocks for finding in findings):
        raise typer.Exit(1)


def migrate(as_json: Json = False) -> None:
    """Bring the database's schema up to date. Two at once are harmless."""
    from infra.addresses import effective_settings
    from infra.migrate import migrate as apply

    applied = apply(effective_settings().postgres_dsn.get_secret_value())
    typer.echo(json.dumps({"applied": applied}) if as_json else ", ".join(applied) or "nothing to do")


def topics(as_json: Json = False) -> None:
    """Create the topics that schemas/topics.yaml declares; exit status 1 where the broker's differ."""
    from dataclasses import asdict

    from infra.addresses import effective_settings
    from infra.topics import ensure_topics

    report = ensure_topics(effective_settings())
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    else:
        typer.echo(f"created: {', '.join(report.created) or 'none'}; standing: {len(report.standing)}")
        for difference in report.differences:
            typer.echo(f"differs: {difference}")
    if report.differences:
        raise typer.Exit(1)


def run(
    process: Annotated[Process, typer.Argument(help="Which one.")],
    niceness: Annotated[int, typer.Option(help="How far it gives way to others once it works.")] = 0,
) -> None:
    """Run one process in the foreground until SIGTERM, logging to stdout. It waits for the servers it needs."""
    from importlib import import_module

    from infra.addresses import effective_settings
    from infra.priority import give_way
    from infra.waiting import NEEDS, await_servers
    from pipeline.log import configure
    from pipeline.stream.process import stop_on_signals

    main = import_module(MAINS[process]).main
    give_way(niceness)
    first = effective_settings()
    configure(first, process.value)
    # who waits for nothing handles signals by itself: until it does, a signal ends it
    waits = process.value in NEEDS
    settings = await_servers(process.value, effective_settings, stop_on_signals()) if waits else first
    if settings is not None:
        main(settings)
