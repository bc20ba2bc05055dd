"""Dead letters: messages that cannot be processed, with all that is needed to mend and replay them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.identity.ids import Id
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import seal
from pipeline.settings import Settings
from pipeline.store.data_keys import own_data_keys
from pipeline.store.database import Transaction
from pipeline.stream.batch import Message
from pipeline.stream.outbox import write_outbox
from schemas.codec import Codec

TOPIC = "events.dead-letter"
MAX_BYTES = 900_000  # of key and value together: what fits a broker's default of 1 MiB a message
_NAMESPACE = UUID("0b6c5a0e-5c2f-5f43-9d52-8b8f4a3c7d11")  # never change: ids of dead letters rest on it


def _now() -> datetime:
    return datetime.now(UTC)


def dead_letter_id(stage: str, message: Message) -> Id:
    """The same failure of the same message is the same dead letter.

    The timestamp tells a message from the one at the same offset of a topic that was made anew.
    """
    at = int(message.timestamp.timestamp() * 1_000)
    place = f"{stage}\x1f{message.topic}\x1f{message.partition}\x1f{message.offset}\x1f{at}"
    return Id(uuid5(_NAMESPACE, place).bytes)


def reason_of(error: Exception) -> ReasonCode:
    """The reason code a dead letter of this error carries."""
    return error.reason if isinstance(error, BadMessage) else ReasonCode.PROCESSING_FAILED


class DeadLetters:
    """Writes the dead letters of one stage."""

    def __init__(
        self,
        stage: str,
        settings: Settings,
        codec: Codec,
        ring: KeyRing,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._stage = stage
        self._prefix = settings.topic_prefix
        self._codec = codec
        self._ring = ring
        self._clock = clock

    def write(self, tx: Transaction, refused: Sequence[tuple[Message, Exception]]) -> None:
        """Seal the messages, each under a data key of its own, and put them into the outbox of the transaction."""
        if not refused:
            return
        ids = [dead_letter_id(self._stage, message) for message, _ in refused]
        keys = own_data_keys(tx, self._ring, ids)
        payloads = [
            self._codec.encode(TOPIC, self._letter(letter_id, key, message, error))
            for letter_id, key, (message, error) in zip(ids, keys, refused, strict=True)
        ]
        write_outbox(tx, TOPIC, [str(letter_id).encode() for letter_id in ids], payloads)

    def _letter(self, letter_id: Id, key: bytes, message: Message, error: Exception) -> dict[str, object]:
        head = None if message.key is None else message.key[:MAX_BYTES]
        body = None if message.value is None else message.value[: MAX_BYTES - len(head or b"")]
        return {
            "dead_letter_id": str(letter_id),
            "stage": self._stage,
            "reason": reason_of(error).value,
            # the text of an unknown exception may quote a customer's data
            "detail": error.detail if isinstance(error, BadMessage) else type(error).__name__,
            "topic": message.topic.removeprefix(self._prefix),
            "partition": message.partition,
            "offset": message.offset,
            "timestamp": message.timestamp,
            "failed_at": self._clock(),
            "sealed_key": None if head is None else seal(key, head, b"dead_letter:key:" + letter_id),
            "sealed_value": None if body is None else seal(key, body, b"dead_letter:value:" + letter_id),
            "truncated": len(message.key or b"") + len(message.value or b"") > MAX_BYTES,
        }
