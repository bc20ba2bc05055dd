"""`retail-brain review`: what waits for a steward, and the steward's answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from pipeline.answer import Answer
    from pipeline.store.reviews import StoredReview

app = typer.Typer(no_args_is_help=True, help="What waits for a steward: list it, look at it, answer it.")


class Kind(StrEnum):
    """What a review asks."""

    MERGE = "merge"
    SPLIT = "split"


class Skipped(StrEnum):
    """What becomes of reviews that are put aside."""

    EXCLUDE = "exclude"
    INCLUDE = "include"
    ONLY = "only"


class Status(StrEnum):
    """Where a review stands."""

    PENDING = "pending"
    OBSOLETE = "obsolete"
    APPROVED = "approved"
    REJECTED = "rejected"
    REVOKED = "revoked"


ReviewId = Annotated[UUID, typer.Argument(help="The review's id.")]
Reason = Annotated[str, typer.Option(help="Why; kept with what is done.")]
Actor = Annotated[str, typer.Option(help="Who does it.")]
Etag = Annotated[
    str | None,
    typer.Option(
        help="Only if the review is still what was read, whose ETag `show` tells.", show_default=False
    ),
]
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_(
    kind: Annotated[Kind | None, typer.Option(help="Only doubtful merges, or only proposed splits.")] = None,
    status: Annotated[Status, typer.Option(help="Those that wait, or those that no longer do.")] = (
        Status.PENDING
    ),
    assigned_to: Annotated[str | None, typer.Option(help="Only this steward's.")] = None,
    unassigned: Annotated[bool, typer.Option("--unassigned", help="Only those that are nobody's.")] = False,
    profile: Annotated[UUID | None, typer.Option(help="Only those about this profile.")] = None,
    skipped: Annotated[Skipped, typer.Option(help="Those that are put aside.")] = Skipped.EXCLUDE,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The reviews of a status, the likeliest first."""
    from datetime import UTC

    import orjson

    from infra.addresses import effective_settings
    from pipeline.explain.report import as_data
    from pipeline.explain.reviews import listed
    from pipeline.store.database import Database
    from pipeline.store.reviews import Skipped as Aside
    from pipeline.store.reviews import Wanted, read_reviews
    from pipeline.store.roles import Role, as_role

    wanted = Wanted(status, kind, assigned_to, unassigned, profile_id=profile, skipped=Aside(skipped))
    dsn = as_role(effective_settings(), Role.ANALYST)
    with Database(dsn, "cli") as database, database.transaction() as tx:
        found = read_reviews(tx, wanted, datetime.now(UTC), limit)
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
    from pipeline.store.roles import Role, as_role

    settings = effective_settings()
    with Database(as_role(settings, Role.ANALYST), "cli") as database:
        with database.transaction() as tx:
            review = read_review(tx, Id(review_id.bytes))
        explained = Explainer(database, load_key_ring(settings)).review(review)
    if as_json:
        data = {"review": as_data(review), "explanation": as_data(explained)}
        typer.echo(orjson.dumps(data).decode())
    else:
        typer.echo(f"{asked(review)}\n{told(explained)}", nl=False)


@app.command()
def approve(
    review_id: ReviewId, reason: Reason, actor: Actor = "cli", etag: Etag = None, as_json: AsJson = False
) -> None:
    """Do it: the two profiles are merged, or the one is split, and it stays so."""
    from pipeline.answer import Answer

    _answer(review_id, Answer.APPROVED, reason, actor, etag, as_json)


@app.command()
def reject(
    review_id: ReviewId, reason: Reason, actor: Actor = "cli", etag: Etag = None, as_json: AsJson = False
) -> None:
    """Never do it: the two profiles stay two, or the one stays whole, and it is not asked again."""
    from pipeline.answer import Answer

    _answer(review_id, Answer.REJECTED, reason, actor, etag, as_json)


@app.command()
def assign(
    review_id: ReviewId,
    to: Annotated[str | None, typer.Argument(help="To whom.", show_default=False)] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take it back instead.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why, if that is to be kept.")] = None,
    actor: Actor = "cli",
    etag: Etag = None,
    as_json: AsJson = False,
) -> None:
    """Give a review to a steward, or to nobody; what is somebody else's only with its --etag."""
    from datetime import UTC

    from cli.steward import seen, stewardship
    from pipeline.identity.ids import Id
    from pipeline.review_queue import assign_review

    if (to is None) != nobody:
        raise typer.BadParameter("name a steward, or say --nobody")
    with stewardship() as by:
        found = assign_review(by, Id(review_id.bytes), to, actor, reason, datetime.now(UTC), seen=seen(etag))
    _tell(found, as_json)


@app.command()
def skip(
    review_id: ReviewId,
    until: Annotated[datetime, typer.Option(formats=_FORMATS, help="When it is to come back (UTC).")],
    reason: Reason,
    actor: Actor = "cli",
    etag: Etag = None,
    as_json: AsJson = False,
) -> None:
    """Put a review aside for a while: until then it is left out of what waits."""
    from datetime import UTC

    from cli.steward import seen, stewardship
    from pipeline.identity.ids import Id
    from pipeline.review_queue import skip_review

    at = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    with stewardship() as by:
        found = skip_review(by, Id(review_id.bytes), at, actor, reason, datetime.now(UTC), seen=seen(etag))
    _tell(found, as_json)


def _tell(review: StoredReview, as_json: bool) -> None:
    import orjson

    from pipeline.explain.report import as_data
    from pipeline.explain.reviews import placed

    typer.echo(orjson.dumps(as_data(review)).decode() if as_json else placed(review), nl=as_json)


def _answer(
    review_id: UUID, answer: Answer, reason: str, actor: str, etag: str | None, as_json: bool
) -> None:
    from datetime import UTC

    import orjson

    from cli.steward import seen, stewardship
    from pipeline.answer import answer_review
    from pipeline.explain.report import as_data
    from pipeline.explain.reviews import done
    from pipeline.identity.ids import Id

    with stewardship() as by:
        answered = answer_review(
            by, Id(review_id.bytes), answer, actor, reason, datetime.now(UTC), seen=seen(etag)
        )
    typer.echo(orjson.dumps(as_data(answered)).decode() if as_json else done(answered))
