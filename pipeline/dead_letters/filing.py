"""Files dead letters: what comes on events.dead-letter, from whichever stage or consumer, becomes a row."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

from pipeline import metrics
from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.identity.ids import Id
from pipeline.log import get_logger
from pipeline.privacy.keyring import KeyRing
from pipeline.settings import Settings
from pipeline.store.data_keys import own_data_keys
from pipeline.store.database import Database, Transaction
from pipeline.store.roles import Role, as_role
from pipeline.stream.batch import Advance, Batch, Message
from pipeline.stream.deadletter import TOPIC, dead_letter_id, letter
from pipeline.stream.loop import run
from pipeline.stream.positions import advance
from schemas.codec import Codec

STAGE = "letters"
_MEASURE_S = 10.0

Letter = Mapping[str, object]
_COLUMNS = (
    "dead_letter_id",
    "stage",
    "reason",
    "detail",
    "topic",
    "partition",
    "offset",
    "timestamp",
    "failed_at",
    "sealed_key",
    "sealed_value",
    "truncated",
    "replay_of",
)


class LettersStage:
    """The handler of the letters loop: a letter is filed once, however often it comes. One that was replayed or
    dropped is reopened where its message was refused anew since.

    What is no letter is filed as one of this stage's own, sealed; it goes to no topic, so that it cannot come again.
    """

    stage = STAGE
    topic = TOPIC

    def __init__(self, settings: Settings, database: Database, ring: KeyRing, codec: Codec) -> None:
        self._prefix = settings.topic_prefix
        self._database = database
        self._ring = ring
        self._codec = codec
        self._measured = float("-inf")

    def handle(self, batch: Batch) -> int:
        """File a batch; returns how many messages were no letters. Raises RetryLater."""
        good: list[Letter] = []
        bad: list[tuple[Message, Exception]] = []
        for message in batch.messages:
            try:
                if message.value is not None:  # nobody deletes letters, but a tombstone is no error
                    good.append(self._decoded(message.value))
            except BadMessage as exc:
                bad.append((message, exc))
        with self._database.transaction() as tx:
            advance(tx, STAGE, batch.positions)
            self._file(tx, [*good, *self._own(tx, bad)])
        self._measure()
        return len(bad)

    def bury(self, message: Message, at: Advance, error: Exception) -> None:
        """See `Handler`."""
        with self._database.transaction() as tx:
            advance(tx, STAGE, (at,))
            self._file(tx, self._own(tx, [(message, error)]))

    def settle(self) -> None:
        """See `Settling`: nothing is pending, but there is time to count what waits."""
        self._measure()

    def _decoded(self, value: bytes) -> Letter:
        found = self._codec.decode(TOPIC, value)
        replay_of = found["replay_of"]
        try:
            found["dead_letter_id"] = Id.parse(str(found["dead_letter_id"]))
            found["replay_of"] = None if replay_of is None else Id.parse(str(replay_of))
        except ValueError as exc:
            raise BadMessage(ReasonCode.SCHEMA_VIOLATION, "dead_letter_id, replay_of: send UUIDs") from exc
        return found

    def _own(self, tx: Transaction, bad: Sequence[tuple[Message, Exception]]) -> list[Letter]:
        ids = [dead_letter_id(STAGE, message) for message, _ in bad]
        now, keys = datetime.now(UTC), own_data_keys(tx, self._ring, ids) if ids else []
        return [
            {
                **letter(STAGE, message, error, self._prefix, now, key),
                "dead_letter_id": letter_id,
                "replay_of": None,
            }
            for letter_id, key, (message, error) in zip(ids, keys, bad, strict=True)
        ]

    def _file(self, tx: Transaction, letters: Sequence[Letter]) -> None:
        if letters:
            tx.run("file_dead_letters", [[letter[name] for letter in letters] for name in _COLUMNS])

    def _measure(self) -> None:
        if time.monotonic() - self._measured < _MEASURE_S:
            return
        self._measured = time.monotonic()
        with self._database.transaction() as tx:
            waiting = tx.rows("waiting_dead_letters")
        metrics.DEAD_LETTERS_WAITING.clear()
        for stage, reason, count in waiting:
            metrics.DEAD_LETTERS_WAITING.labels(stage, reason).set(count)


@contextmanager
def filing(settings: Settings, ring: KeyRing, codec: Codec, stop: threading.Event) -> Iterator[None]:
    """Files dead letters on a thread while the block runs; sets `stop` when either ends.

    Raises at the end what ended the thread.
    """
    with ThreadPoolExecutor(1, thread_name_prefix=STAGE) as pool:
        ended: Future[None] = pool.submit(_run, settings, ring, codec, stop)
        ended.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            stop.set()
        ended.result()


def _run(settings: Settings, ring: KeyRing, codec: Codec, stop: threading.Event) -> None:
    get_logger().info("letters stage starts")
    with Database(as_role(settings, Role.RELAY), STAGE) as database:
        run(LettersStage(settings, database, ring, codec), settings, stop)
