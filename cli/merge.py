"""`retail-brain merge`: undo merges from the command line."""

from __future__ import annotations

import json
from typing import Annotated
from uuid import UUID

import typer

app = typer.Typer(no_args_is_help=True, help="Merges of profiles: undo them.")


@app.command()
def rollback(
    merge_log_id: Annotated[UUID, typer.Argument(help="The merge's id in identity_merge_log.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the merge log and the constraint.")],
    actor: Annotated[str, typer.Option(help="Who asks for it.")] = "cli",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Undo one merge: its source profile comes back under its old id, with every event of its records."""
    from datetime import UTC, datetime

    from cli.steward import stewardship
    from pipeline.identity.ids import Id
    from pipeline.rollback import rollback_merge

    with stewardship() as by:
        result = rollback_merge(by, Id(merge_log_id.bytes), actor, reason, datetime.now(UTC))
    told = {
        "merge_log_id": str(result.merge_log_id),
        "rollback_log_id": str(result.rollback_log_id),
        "restored_profile_id": str(result.restored),
        "kept_profile_id": str(result.kept),
        "records": [str(r) for r in result.records],
    }
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo(
            f"Undone. {len(result.records)} record(s) are back in profile {result.restored}; "
            f"{result.kept} keeps the rest. A cannot-link keeps the two apart from now on."
        )
