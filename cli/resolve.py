"""`retail-brain resolve`: who is whom in a file, in memory, without servers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def resolve(
    file: Annotated[Path, typer.Argument(help="A .csv, .tsv, .jsonl or .ndjson file, .gz or not.")],
    mapping: Annotated[Path, typer.Option(help="Which column is what; docs/mapping.md describes it.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write: record_id,profile_id. `-` is stdout.")],
    shuffle_seed: Annotated[
        int | None, typer.Option(help="Shuffle the rows first; the outcome is the same.")
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="First learn the match model from the rows, without labels.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Resolve a file's records into customers and write record_id,profile_id, in the order of the file."""
    import json
    from time import perf_counter

    from cli.progress import steps
    from pipeline.mapping import BadRow, read_mapping, rows
    from pipeline.resolve_file import resolve_rows, write_assignments
    from pipeline.settings import settings

    bad: list[BadRow] = []
    wanted = read_mapping(mapping)
    started = perf_counter()
    learning = ("sample",) if train else ()
    with steps("read", "normalize", *learning, "compare", "cluster", quiet=as_json) as progress:
        found = resolve_rows(
            rows(file, wanted, bad.append),
            settings(),
            region=wanted.region,
            shuffle_seed=shuffle_seed,
            train=train,
            progress=progress,
        )
    write_assignments(found.assigned, out)
    summary = found.summary(bad, perf_counter() - started)
    if as_json:
        typer.echo(json.dumps(summary), err=str(out) == "-")
        return
    for name, value in summary.items():
        shown = value if isinstance(value, dict) else {name: value}
        for label, number in shown.items():
            typer.echo(f"{label:40} {number:>14,}", err=str(out) == "-")
