"""Dead letters on a real Postgres without Kafka: stages, filing, desk and relay, handed each other's messages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from psycopg.rows import TupleRow

from pipeline.dead_letters.desk import Desk
from pipeline.dead_letters.filing import LettersStage
from pipeline.errors import BadMessage
from pipeline.identity.ids import Id
from pipeline.privacy.keyring import KeyRing
from pipeline.store.database import Database
from pipeline.store.dead_letters import Choice, StoredLetter
from pipeline.store.roles import Role, as_role
from pipeline.stream.batch import Message
from pipeline.stream.deadletter import TOPIC
from pipeline.stream.publish import MemoryPublisher, Outgoing
from pipeline.stream.relay import Relay
from tests.support.pipeline import StagesOnPostgres

RAW, NORMALIZED = "events.raw", "events.normalized"
EVERY = Choice()


class Letterbox:
    """`send` bytes to events.raw and let everything run its course with `pump`."""

    def __init__(self, dsn: str, keys: KeyRing | None = None) -> None:
        self.stages = StagesOnPostgres(dsn, keys=keys)
        held = self.stages.keys
        settings, self.database = self.stages.settings, self.stages.database
        self.codec = self.stages.codec
        self._operating, self._relaying = (
            Database(as_role(settings, r), "test") for r in (Role.OPERATOR, Role.RELAY)
        )
        self.desk = Desk(self._operating, held, self.codec, settings)
        self.letters = LettersStage(settings, self._relaying, held, self.codec)
        self.publisher = MemoryPublisher()
        self.relay = Relay(settings, self._relaying, self.publisher, threading.Event(), held)
        self._offsets: dict[str, int] = {}

    def send(self, *values: bytes | None) -> None:
        """Messages from a source."""
        self.deliver([Outgoing(RAW, b"", value) for value in values])
        self.pump()

    def pump(self) -> list[Outgoing]:
        """Relay, and deliver what was relayed, until the outbox is empty; returns what was relayed to the stages."""
        seen: list[Outgoing] = []
        while self.relay.publish_some():
            sent, self.publisher.log = self.publisher.log, []
            self.deliver(sent)
            seen += [m for m in sent if m.topic in (RAW, NORMALIZED)]
        return seen

    def deliver(self, messages: Sequence[Outgoing]) -> None:
        """Hand published messages to who reads them."""
        raw = [self.message(m) for m in messages if m.topic == RAW]
        if raw:
            before = len(self.stages.publisher.log)
            self.stages.normalize.handle(self.stages.batch("normalize", raw))
            self.stages.normalize.settle()
            self.deliver(self.stages.publisher.log[before:])
        for message in [self.message(m) for m in messages if m.topic == NORMALIZED]:
            self._resolve(message)
        letters = [self.message(m) for m in messages if m.topic == TOPIC]
        if letters:
            self.letters.handle(self.stages.batch("letters", letters))

    def _resolve(self, message: Message) -> None:
        """As the loop does."""
        batch = self.stages.batch("resolve", [message])
        try:
            self.stages.resolve.handle(batch)
        except BadMessage as exc:
            self.stages.resolve.bury(message, batch.positions[0], exc)

    def message(self, sent: Outgoing) -> Message:
        """A published message as it is consumed."""
        offset = self._offsets.get(sent.topic, 0)
        self._offsets[sent.topic] = offset + 1
        now = datetime.now(UTC).replace(microsecond=offset % 1_000 * 1_000)  # a broker's are of milliseconds
        return Message(sent.topic, 0, offset, now, sent.key or None, sent.value, sent.headers)

    def waiting(self) -> tuple[StoredLetter, ...]:
        """Letters that wait, the newest first; of one moment, the last in the log."""
        letters = self.desk.listed(EVERY, "waiting", 1_000).letters
        return tuple(sorted(letters, key=lambda letter: (letter.failed_at, letter.offset), reverse=True))

    def one(self) -> Id:
        """The one letter that waits."""
        (letter,) = self.waiting()
        return letter.dead_letter_id

    def events(self) -> list[TupleRow]:
        """What was stored of events: id, source, whom it belongs to and when it happened."""
        return self.rows(
            "SELECT e.event_id, e.source, r.profile_id, e.occurred_at FROM event e "
            "LEFT JOIN identity_record r USING (record_id) ORDER BY e.occurred_at"
        )

    def rows(self, query: str, *parameters: object) -> list[TupleRow]:
        """Rows of any query of a test."""
        return self.stages.rows(query, *parameters)

    def plaintext(self, *words: str) -> list[str]:
        """Tables in which a word stands, as text or inside bytes."""
        found = []
        tables = self.rows(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
            "AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in tables:
            text = " ".join(row for (row,) in self.rows(f"SELECT t::text FROM {table} t")).lower()
            for word in words:
                if word.lower() in text or word.encode().hex() in text:
                    found.append(f"{table}: {word}")
        return found

    def close(self) -> None:
        """Close the connection."""
        self.stages.close()
        self._operating.close()
        self._relaying.close()
