"""Where dead letters are looked at, mended, replayed and dropped; command line and API have no rules of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.audit.actions import Action
from pipeline.audit.entry import UNTOLD, AuditEntry, Occasion, named
from pipeline.dead_letters.acceptable import mended, replayable
from pipeline.dead_letters.bulk import Done, Refusals, act_on
from pipeline.dead_letters.changes import Changes, changed
from pipeline.dead_letters.content import Fields, read_content
from pipeline.dead_letters.opening import data_key, opened, refusal, unmendable, unread, unreplayable
from pipeline.dead_letters.shown import look, shown
from pipeline.errors import Conflict, NotFound, RetryLater
from pipeline.events import Limits
from pipeline.identity.ids import Id
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import seal
from pipeline.settings import Settings
from pipeline.store.audit import write_audit
from pipeline.store.database import Database, Transaction
from pipeline.store.dead_letters import (
    DROPPED,
    REPLAYED,
    WAITING,
    Choice,
    LetterPage,
    SealedMessage,
    StoredLetter,
    close_letters,
    lock_letters,
    note_edit,
    read_actions,
    read_letter,
    read_letters,
    read_messages,
)
from pipeline.store.dead_letters import Action as LetterAction
from pipeline.store.roles import Role, as_role
from pipeline.stream.deadletter import sealed_context
from pipeline.stream.outbox import ToSeal, write_sealed_outbox
from schemas.codec import RAW_TOPIC, Codec


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A letter's message as it may be seen: its `fields` masked, or the `problem` that keeps them from being read and
    a masked `look` at its first bytes. `form` is json, avro or unknown; `size` is in bytes."""

    form: str
    size: int
    fields: Fields | None
    problem: str | None
    look: str | None


@dataclass(frozen=True, slots=True)
class ShownLetter:
    """A letter, its message or why there is none to see, what was done with it, and why it cannot be replayed (None
    where it can) as it stands."""

    letter: StoredLetter
    message: ShownMessage | None
    unread: str | None
    unreplayable: str | None
    actions: tuple[LetterAction, ...]


class Desk:
    """Dead letters on one connection. Not for use by several threads. Everything raises RetryLater.

    The audit log tells who looked at a letter's message, and who did what with it, on which `occasion`.
    """

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        codec: Codec,
        settings: Settings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._ring = ring
        self._codec = codec
        self._limits = Limits.of(settings)
        self._topic = settings.topic
        self._clock = clock

    def listed(self, choice: Choice, status: str | None, limit: int) -> LetterPage:
        """The first of the chosen letters of a status (None: of any), the newest failure first."""
        with self._database.transaction() as tx:
            return read_letters(tx, choice, status, limit)

    def found(self, letter_id: Id) -> StoredLetter:
        """One letter without its message. Raises NotFound."""
        with self._database.transaction() as tx:
            return read_letter(tx, letter_id)

    def show(self, letter_id: Id, actor: str, occasion: Occasion = UNTOLD) -> ShownLetter:
        """One letter, its message to be looked at by the actor. Raises NotFound."""
        with self._database.transaction() as tx:
            shown = self._shown(tx, letter_id)
            if shown.message is not None:
                self._tell(tx, Action.DEAD_LETTER_READ, [letter_id], actor, None, occasion)
        return shown

    def _shown(self, tx: Transaction, letter_id: Id) -> ShownLetter:
        letter, actions = read_letter(tx, letter_id), read_actions(tx, letter_id)
        (sealed,) = read_messages(tx, [letter_id])
        message, hidden = None, unread(sealed)
        if hidden is None:
            try:
                message = self._message(sealed)
            except RetryLater:
                raise
            except Exception as exc:
                hidden = refusal(exc)
        against = self._unreplayable(sealed) if letter.status == WAITING else None
        return ShownLetter(letter, message, hidden, against, actions)

    def edit(
        self, letter_id: Id, changes: Changes, actor: str, reason: str, occasion: Occasion = UNTOLD
    ) -> ShownLetter:
        """Mend a field of a raw event, or the whole of it, and see what came of it; the message as it came is kept.

        Raises NotFound; Conflict where the letter cannot be mended; BadInput naming the field that normalize would
        refuse, or the path that is not there.
        """
        now = self._clock()
        with self._database.transaction() as tx:
            sealed = self._waiting(tx, letter_id)
            if (why := unmendable(sealed)) is not None:
                raise Conflict(why)
            message = opened(self._ring, sealed, self._topic(sealed.topic))
            content = read_content(self._codec, sealed.topic, message.value or b"")
            fields = changed(content.fields, changes)
            made = mended(self._codec, self._limits, fields, message, now)
            key = data_key(self._ring, sealed)
            kept = seal(key, made.value or b"", sealed_context("edit", letter_id))
            note_edit(tx, letter_id, changes.names, kept, occasion.by_key(actor), reason, now)
            fields = {"fields": list(changes.names)}
            self._tell(tx, Action.DEAD_LETTER_EDITED, [letter_id], actor, reason, occasion, fields)
            return self._shown(tx, letter_id)

    def replay(
        self,
        which: Sequence[Id] | Choice,
        actor: str,
        reason: str,
        *,
        dry_run: bool = False,
        occasion: Occasion = UNTOLD,
    ) -> Done:
        """Publish messages again, once and for all: those of the letters named, or of all chosen ones that wait."""

        def act(tx: Transaction, waiting: Sequence[Id]) -> Refusals:
            refused: dict[Id, str] = {}
            ready: dict[str, list[ToSeal]] = {}
            for sealed in read_messages(tx, waiting):
                try:
                    message = self._ready(sealed)
                except RetryLater:
                    raise
                except Exception as exc:  # one that nobody foresaw must not stand in the way of the others
                    refused[sealed.letter_id] = refusal(exc)
                else:
                    ready.setdefault(sealed.topic, []).append(message)
            if not dry_run:
                for topic, messages in ready.items():
                    write_sealed_outbox(tx, topic, messages)
                done = [letter_id for letter_id in waiting if letter_id not in refused]
                close_letters(tx, done, REPLAYED, occasion.by_key(actor), reason, self._clock())
                self._tell(tx, Action.DEAD_LETTER_REPLAYED, done, actor, reason, occasion)
            return refused

        return act_on(self._database, which, act, REPLAYED, self._clock(), dry_run=dry_run)

    def drop(
        self,
        which: Sequence[Id] | Choice,
        actor: str,
        reason: str,
        *,
        dry_run: bool = False,
        occasion: Occasion = UNTOLD,
    ) -> Done:
        """Give letters up, named ones or all chosen ones that wait: their data keys are destroyed, so that nobody can
        read their messages any more."""

        def act(tx: Transaction, waiting: Sequence[Id]) -> Refusals:
            if not dry_run:
                close_letters(tx, waiting, DROPPED, occasion.by_key(actor), reason, self._clock())
                self._tell(tx, Action.DEAD_LETTER_DROPPED, waiting, actor, reason, occasion)
            return {}

        return act_on(self._database, which, act, DROPPED, self._clock(), dry_run=dry_run)

    def _tell(
        self,
        tx: Transaction,
        action: Action,
        letters: Sequence[Id],
        actor: str,
        reason: str | None,
        occasion: Occasion,
        details: Mapping[str, object] | None = None,
    ) -> None:
        if letters:
            objects, why = named("dead_letter", *letters), reason or None
            entry = AuditEntry(action, actor, self._clock(), (), objects, why, occasion, details or {})
            write_audit(tx, entry)

    def _waiting(self, tx: Transaction, letter_id: Id) -> SealedMessage:
        status = lock_letters(tx, [letter_id]).get(letter_id)
        if status is None:
            raise NotFound(f"no dead letter {letter_id}")
        if status != WAITING:
            raise Conflict(f"it was {status} before: only a letter that waits can be mended")
        (sealed,) = read_messages(tx, [letter_id])
        return sealed

    def _ready(self, sealed: SealedMessage) -> ToSeal:
        """What is to be published. Raises Conflict, BadMessage, SealBroken, and what nobody foresaw."""
        if (why := unreplayable(sealed)) is not None:
            raise Conflict(why)
        message = opened(self._ring, sealed, self._topic(sealed.topic))
        value = replayable(self._codec, sealed.topic, self._limits, message, self._clock())
        # the key of a raw event may be anything, in plaintext; that topic has no use for it
        own = None if sealed.topic == RAW_TOPIC else message.key
        key = own or str(sealed.letter_id).encode()
        return ToSeal(key, value, sealed.letter_id, data_key(self._ring, sealed))

    def _unreplayable(self, sealed: SealedMessage) -> str | None:
        try:
            self._ready(sealed)
        except RetryLater:
            raise
        except Exception as exc:
            return refusal(exc)
        return None

    def _message(self, sealed: SealedMessage) -> ShownMessage | None:
        value = opened(self._ring, sealed, self._topic(sealed.topic)).value
        if value is None:
            return None
        content = read_content(self._codec, sealed.topic, value)
        seen = None if content.problem is None else look(value)
        return ShownMessage(content.form, content.size, shown(sealed.topic, content), content.problem, seen)


@contextmanager
def desk(settings: Settings, ring: KeyRing, codec: Codec, application: str) -> Iterator[Desk]:
    """A desk on a connection of its own."""
    with Database(as_role(settings, Role.OPERATOR), application) as database:
        yield Desk(database, ring, codec, settings)
