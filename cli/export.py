"""`retail-brain export`: who is whom, as a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    out: Annotated[Path, typer.Option(help="The CSV file to write: record_id,profile_id. `-` is stdout.")],
    source: Annotated[
        list[str] | None, typer.Option(help="Only records of this source; may be given several times.")
    ] = None,
    actor: Annotated[str, typer.Option(help="Who does it; kept in the audit log.")] = "cli",
    reason: Annotated[
        str | None, typer.Option(help="Why; kept in the audit log.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Write record_id,profile_id of everything stored, merges followed.

    A record that its source named (payload.record_id) goes by that name, any other event by its event id. An
    event that names nobody stands alone, under its event id.
    """
    import csv
    import io
    import json
    from datetime import UTC, datetime

    from cli.files import STDOUT, written
    from cli.progress import counted
    from infra.addresses import effective_settings
    from pipeline.audit.actions import Action
    from pipeline.audit.entry import AuditEntry
    from pipeline.store.audit import write_audit
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role

    settings = effective_settings()
    count, to_stdout = 0, out == STDOUT
    with Database(as_role(settings, Role.ANALYST), "export") as database, written(out) as file:
        told = {"sources": source} if source else {}
        with database.transaction() as tx:
            now = datetime.now(UTC)
            write_audit(tx, AuditEntry(Action.CUSTOMERS_EXPORTED, actor, now, reason=reason, details=told))
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(("record_id", "profile_id"))
            with database.transaction() as tx:
                rows = tx.stream("clusters", {"sources": source or None})
                for record_id, profile_id in counted(rows, "records", quiet=as_json or to_stdout):
                    writer.writerow((record_id, profile_id))
                    count += 1
        finally:
            text.detach()
    if as_json:
        typer.echo(json.dumps({"records": count, "out": str(out)}), err=to_stdout)
    elif not to_stdout:
        typer.echo(f"{count:,} records written to {out}")
