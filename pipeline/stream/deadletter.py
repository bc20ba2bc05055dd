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
REPLAY_HEADER = "retail-brain-replay-of"  # on a replayed message: the dead letter it comes from
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


def replay_of(message: Message) -> str | None:
    """The dead letter whose replay a message is, as its header says; anybody may set one, so it only informs."""
    said = dict(message.headers).get(REPLAY_HEADER)
    try:
        return None if said is None else str(Id.parse(said.decode()))
    except ValueError:
        return None


def sealed_context(part: str, letter_id: Id) -> bytes:
    """What the bytes of a letter are bound to: `part` is key, value, or edit (its value as somebody mended it)."""
    return b"dead_letter:" + part.encode() + b":" + letter_id


def letter(
    stage: str, message: Message, error: Exception, prefix: str, failed_at: datetime, data_key: bytes | None
) -> dict[str, object]:
    """A dead letter by dead_letter.avsc, the message's bytes sealed; without them where no data key is given."""
    letter_id = dead_letter_id(stage, message)
    head = None if message.key is None else message.key[:MAX_BYTES]
    body = None if message.value is None else message.value[: MAX_BYTES - len(head or b"")]

    def sealed(part: str, data: bytes | None) -> bytes | None:
        return (
            None
            if data is None or data_key is None
            else seal(data_key, data, sealed_context(part, letter_id))
        )

    return {
        "dead_letter_id": str(letter_id),
        "stage": stage,
        "reason": reason_of(error).value,
        # the text of an unknown exception may quote a customer's data
        "detail": error.detail if isinstance(error, BadMessage) else type(error).__name__,
        "topic": message.topic.removeprefix(prefix),
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp,
        "failed_at": failed_at,
        "sealed_key": sealed("key", head),
        "sealed_value": sealed("value", body),
        "truncated": data_key is not None and len(message.key or b"") + len(message.value or b"") > MAX_BYTES,
        "replay_of": replay_of(message),
    }


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
            self._codec.encode(TOPIC, letter(self._stage, message, error, self._prefix, self._clock(), key))
            for key, (message, error) in zip(keys, refused, strict=True)
        ]
        write_outbox(tx, TOPIC, [str(letter_id).encode() for letter_id in ids], payloads)
