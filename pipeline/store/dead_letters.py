"""Dead letters in Postgres: chosen, read, locked, closed, and what was done with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from pipeline.errors import NotFound
from pipeline.identity.ids import Id
from pipeline.store.database import Transaction

WAITING, REPLAYED, DROPPED = "waiting", "replayed", "dropped"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters: those of which all that is given holds; `since` <= failed_at < `until`."""

    stage: str | None = None
    reason: str | None = None
    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter without its message. `topic` is without prefix, `message_at` the broker's time of the message."""

    dead_letter_id: Id
    stage: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    message_at: datetime
    failed_at: datetime
    truncated: bool
    replay_of: Id | None
    status: str
    edited: bool


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Some letters, and how many there are."""

    letters: tuple[StoredLetter, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody did with a letter; of an edit the changed fields, without their values."""

    action: str
    at: datetime
    actor: str
    reason: str
    fields: Sequence[str]


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """What a letter holds, sealed under its data key; `wrapped` is None where there is no key."""

    letter_id: Id
    topic: str
    partition: int
    offset: int
    message_at: datetime
    truncated: bool
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    edit: bytes | None = field(repr=False)
    wrapped: bytes | None = field(repr=False)
    key_version: int | None


def read_letters(
    tx: Transaction, choice: Choice, status: str | None, limit: int, offset: int = 0
) -> LetterPage:
    """A page of the chosen letters of a status, the newest failure first."""
    chosen = {**asdict(choice), "status": status}
    rows = tx.rows("read_dead_letters", {**chosen, "limit": limit, "offset": offset})
    ((total,),) = tx.rows("count_dead_letters", chosen)
    return LetterPage(tuple(StoredLetter(*row) for row in rows), total)


def read_letter(tx: Transaction, letter_id: Id) -> StoredLetter:
    """One letter. Raises NotFound."""
    row = tx.row("read_dead_letter", (letter_id,))
    if row is None:
        raise NotFound(f"no dead letter {letter_id}")
    return StoredLetter(*row)


def read_actions(tx: Transaction, letter_id: Id) -> tuple[Action, ...]:
    """What was done with a letter, the oldest first."""
    return tuple(Action(*row) for row in tx.rows("dead_letter_actions", (letter_id,)))


def read_messages(tx: Transaction, letter_ids: Iterable[Id]) -> list[SealedMessage]:
    """What these letters hold, the oldest failure first."""
    return [SealedMessage(*row) for row in tx.rows("dead_letter_messages", (list(letter_ids),))]


def lock_letters(tx: Transaction, letter_ids: Iterable[Id]) -> dict[Id, str]:
    """The letters' statuses; nobody else changes them before the transaction ends. Unknown ones are missing."""
    return dict(tx.rows("lock_dead_letters", (list(letter_ids),)))


def lock_chosen(
    tx: Transaction, choice: Choice, limit: int, after: tuple[datetime, Id] | None
) -> tuple[dict[Id, str], tuple[datetime, Id] | None]:
    """The next chosen letters that wait, and where they end: None where there are no more."""
    at, letter_id = after or (None, None)
    parameters = {**asdict(choice), "limit": limit, "after_at": at, "after_id": letter_id}
    rows = tx.rows("lock_chosen_dead_letters", parameters)
    end = (rows[-1][2], rows[-1][0]) if len(rows) == limit else None
    return {row[0]: row[1] for row in rows}, end


def close_letters(
    tx: Transaction, letter_ids: Sequence[Id], status: str, actor: str, reason: str, at: datetime
) -> None:
    """Locked letters are replayed or dropped, and it is written down by whom. Dropped ones lose their data key."""
    if not letter_ids:
        return
    letters = list(letter_ids)
    tx.run("close_dead_letters", (status, letters))
    noted = {"action": status, "at": at, "actor": actor, "reason": reason, "letters": letters}
    tx.run("note_dead_letter_actions", noted)
    if status == DROPPED:
        tx.run("destroy_data_keys", (letters,))


def note_edit(
    tx: Transaction,
    letter_id: Id,
    fields: Sequence[str],
    sealed: bytes,
    actor: str,
    reason: str,
    at: datetime,
) -> None:
    """A letter's message is from now on the one that is sealed in here."""
    noted = {"letter": letter_id, "at": at, "actor": actor, "reason": reason, "sealed": sealed}
    tx.run("note_dead_letter_edit", {**noted, "fields": list(fields)})
