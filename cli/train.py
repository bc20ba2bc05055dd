"""`retail-brain train`: a match model learnt from what is stored or from a file, with its report."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.training.training import Training


def train(
    from_file: Annotated[
        Path | None,
        typer.Option(help="Learn from a file's records (as `resolve` takes it), not what is stored."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="The file's mapping; docs/mapping.md describes it.")
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(
            help="A column of the file that says who is whom: judges the model, teaches it nothing."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write the model and its report to.")] = Path(),
    name: Annotated[
        str | None, typer.Option(help="What the model's version begins with; by default trained-YYYYMMDD.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Draws the pairs that tell of strangers, and splits what judges.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Learn match weights without labels, and from stewards' decisions, and write a model file and a report.

    Reads one snapshot and writes nothing to the store. The active model stays as it is.
    """
    import re
    from datetime import UTC, datetime

    import orjson

    from cli.progress import steps
    from infra.addresses import effective_settings
    from pipeline.configuration import MODEL_NAME, load_model, load_policy
    from pipeline.errors import BadInput
    from pipeline.mapping import BadRow, read_mapping, rows
    from pipeline.privacy.keyring import load_key_ring
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role
    from pipeline.training import training
    from pipeline.training.files import write
    from pipeline.training.report import numbers

    if (from_file is None) != (mapping is None):
        raise BadInput("--mapping", "a file needs its mapping, and a mapping its --from-file")
    if truth is not None and from_file is None:
        raise BadInput("--truth", "is a column of a file: name the file by --from-file")
    now = datetime.now(UTC)
    name = name or f"trained-{now:%Y%m%d}"
    if not re.fullmatch(MODEL_NAME, name):
        raise BadInput(
            "--name", "starts with a letter or digit, then letters, digits, `.`, `_`, `-`, all lower case"
        )
    settings = effective_settings()
    model, policy = load_model(settings), load_policy(settings)
    names = ("records",) if from_file is None else ("read", "normalize")
    with ExitStack() as stack:
        shown = (*names, "compare", "sample", *(("judge",) if truth else ()))
        progress = stack.enter_context(steps(*shown, quiet=as_json))
        if from_file is not None and mapping is not None:
            wanted, bad = read_mapping(mapping), list[BadRow]()
            if truth is not None:
                wanted = training.with_truth(wanted, truth)
            material = training.from_file(
                rows(from_file, wanted, bad.append),
                from_file.name,
                policy,
                wanted.region or settings.default_region,
                told=truth is not None,
                progress=progress,
            )
        else:
            database = stack.enter_context(Database(as_role(settings, Role.ANALYST), "train"))
            material = training.from_store(database, load_key_ring(settings), progress)
        found = training.train(material, model, policy, seed, name, progress)
    written = write(found, out, now)
    if as_json:
        typer.echo(orjson.dumps({**numbers(found), "files": [str(f) for f in written]}).decode())
    else:
        _tell(found, written)


def _tell(found: Training, written: list[Path]) -> None:
    import textwrap

    from pipeline.training import words

    said = [words.headline(found), *words.notes(found), words.judgement(found)]
    for paragraph in said:
        typer.echo(textwrap.fill(paragraph, 110) + "\n")
    typer.echo("written:")
    for file in written:
        typer.echo(f"  {file}")
    typer.echo(
        f"\nNothing is activated. Try it first:\n  retail-brain whatif --model {written[0]} --report whatif.html\n"
        f"and where it is better, start the resolve stage with\n  RB_MODEL_FILE={written[0]}"
    )
