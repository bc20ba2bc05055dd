"""Calls about dead letters: what could not be processed, looked at, mended, replayed and dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypedDict

from client.call import Call
from client.calls.making import Ident, get, ident, moment, patch, post, written
from gateway.letter_models import DeadLetter, DeadLetterDetail, LettersDone
from gateway.models import Page


class Choose(TypedDict, total=False):
    """Which letters of those that wait: all that is given must hold, `since` <= the failure < `until`; {}: all."""

    stage: str
    reason: str
    topic: str
    since: datetime
    until: datetime


def dead_letters(
    *,
    status: Literal["waiting", "replayed", "dropped"] = "waiting",
    stage: str | None = None,
    reason: str | None = None,
    topic: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    page: int = 1,
    limit: int = 20,
) -> Call[Page[DeadLetter]]:
    """What could not be processed, the newest failure first; `since` <= the failure < `until`."""
    chosen = {
        "stage": stage,
        "reason": reason,
        "topic": topic,
        "since": moment(since),
        "until": moment(until),
    }
    return get("/v1/dead-letters", Page[DeadLetter], status=status, page=page, limit=limit, **chosen)


def dead_letter(dead_letter_id: Ident) -> Call[DeadLetterDetail]:
    """One of them, with its message, values masked, and what was done with it."""
    return get(f"/v1/dead-letters/{ident(dead_letter_id)}", DeadLetterDetail)


def edit_dead_letter(
    dead_letter_id: Ident,
    *,
    put: Mapping[str, object] | None = None,
    unset: Sequence[str] = (),
    event: Mapping[str, object] | None = None,
    reason: str = "",
    actor: str | None = None,
    once: str | None = None,
) -> Call[DeadLetterDetail]:
    """Mend its event: fields to `put` and to `unset`, by their paths (`identifiers.phone`), or the whole `event`.
    The message as it came is kept; it is not sent before it is replayed."""
    body = {"set": put or {}, "unset": [*unset], "event": event, "reason": reason, "actor": actor}
    return patch(f"/v1/dead-letters/{ident(dead_letter_id)}", body, DeadLetterDetail, written(once))


def replay_dead_letter(
    dead_letter_id: Ident,
    *,
    reason: str = "",
    dry_run: bool = False,
    actor: str | None = None,
    once: str | None = None,
) -> Call[LettersDone]:
    """Publish its message to its topic again, once however often it is asked for."""
    body = {"reason": reason, "dry_run": dry_run, "actor": actor}
    return post(f"/v1/dead-letters/{ident(dead_letter_id)}/replay", body, LettersDone, written(once))


def drop_dead_letter(
    dead_letter_id: Ident,
    reason: str,
    *,
    dry_run: bool = False,
    actor: str | None = None,
    once: str | None = None,
) -> Call[LettersDone]:
    """Give it up: its data key is destroyed, so that nobody can read or replay its message any more."""
    body = {"reason": reason, "dry_run": dry_run, "actor": actor}
    return post(f"/v1/dead-letters/{ident(dead_letter_id)}/drop", body, LettersDone, written(once))


def replay_dead_letters(
    which: Sequence[Ident] | Choose,
    *,
    reason: str = "",
    dry_run: bool = False,
    actor: str | None = None,
    once: str | None = None,
) -> Call[LettersDone]:
    """Replay many: up to 1,000 by their ids, or all that wait and are chosen."""
    body = {"reason": reason, "dry_run": dry_run, "actor": actor, **_of(which)}
    return post("/v1/dead-letters:replay", body, LettersDone, written(once))


def drop_dead_letters(
    which: Sequence[Ident] | Choose,
    reason: str,
    *,
    dry_run: bool = False,
    actor: str | None = None,
    once: str | None = None,
) -> Call[LettersDone]:
    """Drop many: up to 1,000 by their ids, or all that wait and are chosen."""
    body = {"reason": reason, "dry_run": dry_run, "actor": actor, **_of(which)}
    return post("/v1/dead-letters:drop", body, LettersDone, written(once))


def _of(which: Sequence[Ident] | Choose) -> Mapping[str, object]:
    return {"choose": which} if isinstance(which, dict) else {"ids": [ident(one) for one in which]}
