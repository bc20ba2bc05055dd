"""`retail-brain ingest`: anybody's CSV or JSON lines through the gateway into the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.ingestion import Ingested


def ingest(
    file: Annotated[Path, typer.Argument(help="A .csv, .tsv or .jsonl file, .gz or not.")],
    mapping: Annotated[Path, typer.Option(help="The mapping file; docs/mapping.md describes it.")],
    gateway: Annotated[
        str | None, typer.Option(help="Another gateway's address; commits are not awaited there.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(help="The API key; by default the first one set that may ingest.")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where refused rows go; FILE.rejects.jsonl if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Send every row of a file as an event, and wait until all are committed.

    Event ids are made of source and record id, so a file sent again changes nothing.
    """
    import json
    from dataclasses import asdict

    from cli.ingestion import Ingestion
    from cli.progress import progress
    from client import RetailBrain
    from infra.addresses import effective_settings
    from infra.house import gateway_url
    from pipeline.api_keys.scope import Scope
    from pipeline.mapping import read_mapping

    settings = effective_settings()
    url = gateway or gateway_url(settings)
    key = api_key or settings.api_key_for(Scope.INGEST)
    sheet = rejects or file.with_name(f"{file.name}.rejects.jsonl")
    how = read_mapping(mapping)
    with RetailBrain(url, key) as client, progress(quiet=as_json) as display:
        done = Ingestion(file, how, sheet, display).run(client, None if gateway else settings)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    else:
        _tell(done)


def _tell(done: Ingested) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_row("events accepted", f"{done.accepted:,}")
    if done.repeated:
        table.add_row("  with the id of an earlier row", f"{done.repeated:,}")
    if done.outcome is not None:
        table.add_row("  committed by an earlier run", f"{done.known_before:,}")
        table.add_row("stored", f"{done.outcome.stored:,}")
        table.add_row("identity records", f"{done.outcome.records:,}")
        table.add_row("customers (profiles)", f"{done.outcome.profiles:,}")
        table.add_row("pairs in review", f"{done.outcome.in_review:,}")
        table.add_row("naming nobody", f"{done.outcome.stored - done.outcome.linked:,}")
        table.add_row("dead-lettered", f"{done.dead_lettered:,}")
    if done.rejects:
        refused = f"{done.refused:,} by the gateway, {done.bad_lines:,} lines are no records"
        table.add_row("refused", f"{refused}: see {done.rejects}")
    table.add_row("events a second", f"{done.events_per_s:,.0f} ({done.seconds:.1f} s)")
    Console().print(table)
