"""`retail-brain dlq`: dead letters, looked at, mended, replayed or dropped."""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cli.dlq_input import changes_of, choice_of, id_of, which_of

if TYPE_CHECKING:
    from pipeline.dead_letters.bulk import Done
    from pipeline.dead_letters.desk import Desk

app = typer.Typer(
    no_args_is_help=True, help="Dead letters: messages that could not be processed. Values are masked."
)


class Status(StrEnum):
    """Where a letter stands."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    DROPPED = "dropped"
    ANY = "any"


LetterId = Annotated[UUID, typer.Argument(help="The letter's id.")]
LetterIds = Annotated[list[UUID] | None, typer.Argument(help="Letters by their ids.")]
Stage = Annotated[str | None, typer.Option(help="Only those of this stage or consumer.")]
Reason = Annotated[str | None, typer.Option(help="Only those of this reason code.")]
Topic = Annotated[str | None, typer.Option(help="Only messages of this topic.")]
Since = Annotated[str | None, typer.Option(help="Only failures from then on: ISO 8601, UTC unless it says.")]
Until = Annotated[str | None, typer.Option(help="Only failures before then.")]
Everything = Annotated[bool, typer.Option("--all", help="All that wait.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Why = Annotated[str, typer.Option(help="Why; kept with the letter.")]
Actor = Annotated[str, typer.Option(help="Who does it; kept with the letter.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_(
    status: Annotated[Status, typer.Option(help="Those that wait, or those that no longer do.")] = (
        Status.WAITING
    ),
    stage: Stage = None,
    reason: Reason = None,
    topic: Topic = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Dead letters of a status, the newest failure first."""
    from pipeline.dead_letters.text import listed

    wanted = None if status is Status.ANY else status.value
    with _desk() as desk:
        page = desk.listed(choice_of(stage, reason, topic, since, until), wanted, limit)
    _say(page, listed(page, wanted), as_json)


@app.command()
def show(letter_id: LetterId, actor: Actor = "cli", as_json: AsJson = False) -> None:
    """One dead letter: the error, the message, what was done with it."""
    from pipeline.dead_letters.text import told

    with _desk() as desk:
        shown = desk.show(id_of(letter_id), actor)
    _say(shown, told(shown), as_json)


@app.command()
def edit(
    letter_id: LetterId,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="PATH=TEXT or PATH:=JSON, such as identifiers.phone=+14155552671."),
    ] = None,
    unset: Annotated[list[str] | None, typer.Option(help="A path to take away, such as payload.x.")] = None,
    event: Annotated[
        Path | None, typer.Option(help="The whole event anew: a JSON file of the HTTP shape, - is stdin.")
    ] = None,
    reason_text: Why = "",
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """Mend a raw event, checked as normalize would; the message as it came is kept. `replay` then sends it."""
    from pipeline.dead_letters.text import told
    from pipeline.errors import BadInput
    from pipeline.field_errors import InvalidEvent

    changes = changes_of(set_ or [], unset or [], event)
    with _desk() as desk:
        try:
            shown = desk.edit(id_of(letter_id), changes, actor, reason_text)
        except InvalidEvent as exc:  # who mends it may read the names of its fields
            first = exc.errors[0]
            raise BadInput(first.field, f"{first.problem}; {first.mend}") from exc
    _say(shown, told(shown), as_json)


@app.command()
def replay(
    letter_ids: LetterIds = None,
    stage: Stage = None,
    reason: Reason = None,
    topic: Topic = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    reason_text: Why = "",
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """Publish messages again, each once however often it is asked for. Exit status 1 where any is refused."""
    choice = choice_of(stage, reason, topic, since, until)
    with _desk() as desk:
        result = desk.replay(which_of(letter_ids, choice, everything), actor, reason_text, dry_run=dry_run)
    _told(result, as_json)


@app.command()
def drop(
    reason_text: Why,
    letter_ids: LetterIds = None,
    stage: Stage = None,
    reason: Reason = None,
    topic: Topic = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """Give letters up. Their data keys are destroyed: nobody can read or replay their messages any more."""
    choice = choice_of(stage, reason, topic, since, until)
    with _desk() as desk:
        result = desk.drop(which_of(letter_ids, choice, everything), actor, reason_text, dry_run=dry_run)
    _told(result, as_json)


def _desk() -> AbstractContextManager[Desk]:
    from infra.addresses import effective_settings
    from pipeline.dead_letters.desk import desk
    from pipeline.privacy.keyring import load_key_ring
    from schemas.codec import load_codec

    settings = effective_settings()
    return desk(settings, load_key_ring(settings), load_codec(settings), "cli")


def _told(result: Done, as_json: bool) -> None:
    from pipeline.dead_letters.text import done

    _say(result, done(result), as_json)
    if result.refused:
        raise typer.Exit(1)


def _say(value: object, text: str, as_json: bool) -> None:
    import orjson

    from pipeline.explain.report import as_data

    typer.echo(orjson.dumps(as_data(value)).decode() if as_json else text, nl=as_json)
