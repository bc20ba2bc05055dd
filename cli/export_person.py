"""`retail-brain export-person`: all that is known of one person, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer


def export_person(
    profile_id: Annotated[UUID, typer.Argument(help="Any id that leads to the customer.")],
    out: Annotated[Path, typer.Option(help="The JSON file to write; `-` is stdout.")],
    actor: Annotated[
        str, typer.Option(help="Who asks for it; kept in the audit log and in the file.")
    ] = "cli",
    reason: Annotated[str | None, typer.Option(help="Why; kept in the audit log. Name nobody in it.")] = None,
) -> None:
    """Write everything that is known of a customer as one JSON document, in the clear: keep it as such."""
    from datetime import UTC, datetime

    from cli.files import written
    from infra.addresses import effective_settings
    from pipeline.audit.actions import Action
    from pipeline.audit.entry import AuditEntry
    from pipeline.configuration import load_policy
    from pipeline.identity.ids import Id
    from pipeline.portability.document import Exporting, person_export
    from pipeline.privacy.keyring import load_key_ring
    from pipeline.store.audit import write_audit
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role
    from schemas.codec import load_codec

    settings = effective_settings()
    dsn, asked = as_role(settings, Role.ANALYST), Id(profile_id.bytes)
    with Database(dsn, "export-person") as database:
        now = datetime.now(UTC)
        by = Exporting(
            database, load_key_ring(settings), load_codec(settings), load_policy(settings), actor, now
        )
        pieces = person_export(by, asked)
        first = next(pieces)
        with written(out) as file:
            with Database(dsn, "export-person") as telling, telling.transaction() as tx:
                led = tx.row("survivors", ([asked],))
                about = [asked] if led is None else [asked, led[1]]
                write_audit(tx, AuditEntry(Action.CUSTOMER_EXPORTED, actor, now, about, reason=reason))
            file.write(first)
            file.writelines(pieces)
