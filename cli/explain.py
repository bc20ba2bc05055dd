"""`retail-brain explain`: why two records or profiles are one customer, why not, how, and what would change it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer


def explain(
    one: Annotated[UUID, typer.Argument(help="A profile or an identity record.")],
    other: Annotated[
        UUID | None, typer.Argument(help="Another; without it, why ONE's records are one customer.")
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show values as they are, not masked. The audit log tells of it.")
    ] = False,
    actor: Annotated[str, typer.Option(help="With --reveal: who looks.")] = "cli",
    reason: Annotated[
        str | None, typer.Option(help="With --reveal: why; kept in the audit log.", show_default=False)
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Write a waterfall of the match weights as SVG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Explain a decision by the model and policy that made it: why, why not, how, and what would change it."""
    from datetime import UTC, datetime

    import orjson

    from infra.addresses import effective_settings
    from pipeline.audit.actions import Action
    from pipeline.audit.entry import AuditEntry
    from pipeline.errors import BadInput
    from pipeline.explain.picture import drawn
    from pipeline.explain.report import PairReport, as_data, profiles_of
    from pipeline.explain.service import Explainer, revealed
    from pipeline.explain.text import told
    from pipeline.identity.ids import Id
    from pipeline.privacy.keyring import load_key_ring
    from pipeline.privacy.mask import masked
    from pipeline.store.audit import write_audit
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role

    settings = effective_settings()
    with Database(as_role(settings, Role.ANALYST), "explain") as database:
        explainer = Explainer(database, load_key_ring(settings), revealed if reveal else masked)
        report = (
            explainer.profile(Id(one.bytes))
            if other is None
            else explainer.pair(Id(one.bytes), Id(other.bytes))
        )
        if reveal:
            about, now = profiles_of(report), datetime.now(UTC)
            with database.transaction() as tx:
                write_audit(tx, AuditEntry(Action.CUSTOMER_REVEALED, actor, now, about, reason=reason))
    if svg is not None:
        found = report.explanation if isinstance(report, PairReport) else report.weakest
        if found is None:
            raise BadInput(
                "--svg", "there is nothing to draw: no two parts of this profile are held by evidence"
            )
        svg.write_text(drawn(found), "utf-8")
    typer.echo(orjson.dumps(as_data(report)).decode() if as_json else told(report), nl=as_json)
