"""`retail-brain review`: what waits for a steward, and the steward's answers."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from pipeline.answer import Answer

app = typer.Typer(no_args_is_help=True, help="What waits for a steward: list it, look at it, answer it.")


class Kind(StrEnum):
    """What a review asks."""

    MERGE = "merge"
    SPLIT = "split"


class Status(StrEnum):
    """Where a review stands."""

    PENDING = "pending"
    OBSOLETE = "obsolete"
    APPROVED = "approved"
    REJECTED = "rejected"


ReviewId = Annotated[UUID, typer.Argument(help="The review's id.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the constraint and the merge log.")]
Actor = Annotated[str, typer.Option(help="Who answers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_(
    kind: Annotated[Kind | None, typer.Option(help="Only doubtful merges, or only proposed splits.")] = None,
    status: Annotated[Status, typer.Option(help="Those that wait, or those that no longer do.")] = (
        Status.PENDING
    ),
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The reviews of a status, the likeliest first."""
    import orjson

    from infra.addresses import effective_settings
    from pipeline.explain.report import as_data
    from pipeline.explain.reviews import listed
    from pipeline.store.database import Database
    from pipeline.store.reviews import read_reviews

    dsn = effective_settings().postgres_dsn.get_secret_value()
    with Database(dsn, "cli") as database, database.transaction() as tx:
        found = read_reviews(tx, status, kind, limit)
    if as_json:
        typer.echo(orjson.dumps(as_data(found)).decode())
    else:
        typer.echo(listed(found, status), nl=False)


@app.command()
def show(review_id: ReviewId, as_json: AsJson = False) -> None:
    """One review: what it asks, what each answer would do, and the evidence, explained; values masked."""
    import orjson

    from infra.addresses import effective_settings
    from pipeline.explain.report import as_data
    from pipeline.explain.reviews import asked
    from pipeline.explain.service import Explainer
    from pipeline.explain.text import told
    from pipeline.identity.ids import Id
    from pipeline.privacy.keyring import load_key_ring
    from pipeline.store.database import Database
    from pipeline.store.reviews import read_review

    settings = effective_settings()
    with Database(settings.postgres_dsn.get_secret_value(), "cli") as database:
        with database.transaction() as tx:
            review = read_review(tx, Id(review_id.bytes))
        explained = Explainer(database, load_key_ring(settings)).review(review)
    if as_json:
        data = {"review": as_data(review), "explanation": as_data(explained)}
        typer.echo(orjson.dumps(data).decode())
    else:
        typer.echo(f"{asked(review)}\n{told(explained)}", nl=False)


@app.command()
def approve(review_id: ReviewId, reason: Reason, actor: Actor = "cli", as_json: AsJson = False) -> None:
    """Do it: the two profiles are merged, or the one is split, and it stays so."""
    from pipeline.answer import Answer

    _answer(review_id, Answer.APPROVED, reason, actor, as_json)


@app.command()
def reject(review_id: ReviewId, reason: Reason, actor: Actor = "cli", as_json: AsJson = False) -> None:
    """Never do it: the two profiles stay two, or the one stays whole, and it is not asked again."""
    from pipeline.answer import Answer

    _answer(review_id, Answer.REJECTED, reason, actor, as_json)


def _answer(review_id: UUID, answer: Answer, reason: str, actor: str, as_json: bool) -> None:
    from datetime import UTC, datetime

    import orjson

    from cli.steward import stewardship
    from pipeline.answer import answer_review
    from pipeline.explain.report import as_data
    from pipeline.explain.reviews import done
    from pipeline.identity.ids import Id

    with stewardship() as by:
        answered = answer_review(by, Id(review_id.bytes), answer, actor, reason, datetime.now(UTC))
    typer.echo(orjson.dumps(as_data(answered)).decode() if as_json else done(answered))
