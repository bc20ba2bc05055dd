"""`retail-brain whatif`: what another policy or model would change, before it decides anything."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.whatif.outcome import Outcome


def whatif(
    policy: Annotated[
        Path | None, typer.Option(help="Another policy file; without it, the active one.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Another model file; without it, the active one.")
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option(help="Run over a file's records (as `resolve` takes it), not what is stored."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="The file's mapping; docs/mapping.md describes it.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page to look at, as HTML.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="How many changes of each kind to show.")] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the merges and splits another policy or model would make of what is stored, and estimate what it is worth.

    Runs in memory over one snapshot and writes nothing to the store. Values are masked.
    """
    import orjson

    from cli.progress import steps
    from infra.addresses import effective_settings
    from pipeline.configuration import load_model, load_policy
    from pipeline.errors import BadInput
    from pipeline.identity.explain.weighing import Configuration
    from pipeline.mapping import BadRow, read_mapping, rows
    from pipeline.privacy.keyring import load_key_ring
    from pipeline.privacy.mask import masked
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role
    from pipeline.whatif.outcome import data, what_if
    from pipeline.whatif.source import from_file as file_source
    from pipeline.whatif.source import from_store

    if policy is None and model is None:
        raise BadInput("--policy", "name another policy, another --model, or both")
    if (from_file is None) != (mapping is None):
        raise BadInput("--mapping", "a file needs its mapping, and a mapping its --from-file")
    settings = effective_settings()
    active = Configuration(load_model(settings), load_policy(settings))
    changed = {name: file for name, file in (("policy_file", policy), ("model_file", model)) if file}
    others = settings.model_copy(update=changed)
    other = Configuration(
        load_model(others) if model else active.model, load_policy(others) if policy else active.policy
    )
    names = ("records",) if from_file is None else ("read", "normalize")
    with ExitStack() as stack:
        progress = stack.enter_context(steps(*names, "compare", "compare anew", quiet=as_json))
        if from_file is not None and mapping is not None:
            wanted, bad = read_mapping(mapping), list[BadRow]()
            source = file_source(
                rows(from_file, wanted, bad.append),
                from_file.name,
                active.policy,
                wanted.region or settings.default_region,
                progress,
            )
        else:
            database = stack.enter_context(Database(as_role(settings, Role.ANALYST), "whatif"))
            source = from_store(database, load_key_ring(settings), progress)
        outcome = what_if(source, active, other, masked, examples, progress)
    if report is not None:
        _write(report, outcome)
    if as_json:
        typer.echo(orjson.dumps(data(outcome)).decode())
    else:
        from pipeline.whatif.text import told

        typer.echo(told(outcome), nl=False)


def _write(report: Path, outcome: Outcome) -> None:
    from datetime import UTC, datetime

    from pipeline.errors import BadInput
    from pipeline.whatif.page import page

    try:
        report.write_text(page(outcome, datetime.now(UTC)), "utf-8")
    except OSError as exc:
        raise BadInput(str(report), f"cannot be written: {exc.strerror}") from exc
