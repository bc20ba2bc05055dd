"""What the options of `retail-brain dlq` mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.dead_letters.changes import Changes
    from pipeline.identity.ids import Id
    from pipeline.store.dead_letters import Choice


def id_of(letter_id: UUID) -> Id:
    """An id as ours."""
    from pipeline.identity.ids import Id

    return Id(letter_id.bytes)


def time_of(option: str, text: str | None) -> datetime | None:
    """The time in an option. Raises BadInput naming it."""
    from datetime import UTC, datetime

    from pipeline.errors import BadInput

    try:
        at = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(option, "send a time such as 2026-01-31T12:00:00Z") from None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def choice_of(
    stage: str | None, reason: str | None, topic: str | None, since: str | None, until: str | None
) -> Choice:
    """What the options choose. Raises BadInput naming the option."""
    from pipeline.store.dead_letters import Choice

    return Choice(stage, reason, topic, time_of("--since", since), time_of("--until", until))


def which_of(letter_ids: list[UUID] | None, choice: Choice, everything: bool) -> list[Id] | Choice:
    """The letters named or chosen; all must be said. Raises BadInput where it is not one of these."""
    from pipeline.errors import BadInput
    from pipeline.store.dead_letters import Choice

    if sum((bool(letter_ids), choice != Choice(), everything)) != 1:
        raise BadInput(
            "which",
            "name letters by their ids, or choose by --stage, --reason, --topic, --since, --until, or --all",
        )
    return [id_of(letter_id) for letter_id in letter_ids] if letter_ids else choice


def changes_of(put: list[str], taken: list[str], event: Path | None) -> Changes:
    """What `--set`, `--unset` and `--event` say. Raises BadInput naming the option."""
    from pipeline.dead_letters.changes import Changes

    return Changes(dict(map(_assignment, put)), taken, None if event is None else _event(event))


def _assignment(text: str) -> tuple[str, object]:
    import orjson

    from pipeline.errors import BadInput

    path, given, value = text.partition("=")
    if not given or not path:
        raise BadInput("--set", "send PATH=TEXT or PATH:=JSON")
    if not path.endswith(":"):
        return path, value
    try:
        return path[:-1], orjson.loads(value)
    except orjson.JSONDecodeError as exc:
        raise BadInput("--set", f"broken JSON at character {exc.pos} of what follows :=") from None


def _event(file: Path) -> dict[str, object]:
    import orjson

    from pipeline.errors import BadInput

    try:
        found = orjson.loads(
            typer.get_binary_stream("stdin").read() if str(file) == "-" else file.read_bytes()
        )
    except OSError as exc:
        raise BadInput("--event", f"{file} cannot be read: {exc.strerror}") from exc
    except orjson.JSONDecodeError as exc:
        raise BadInput("--event", f"broken JSON at character {exc.pos}") from None
    if not isinstance(found, dict):
        raise BadInput("--event", "a JSON object is needed")
    return found
