"""Dead letters of the consumers, produced directly: what they read holds no personal data, so nothing is sealed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from pipeline.settings import Settings
from pipeline.stream.batch import Message
from pipeline.stream.deadletter import TOPIC, letter
from pipeline.stream.publish import Outgoing, Publisher
from schemas.codec import Codec


def _now() -> datetime:
    return datetime.now(UTC)


class Letters:
    """Publishes the dead letters of one consumer: reason and place; the message itself is still in its topic."""

    def __init__(
        self,
        consumer: str,
        settings: Settings,
        codec: Codec,
        publisher: Publisher,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._consumer = consumer
        self._prefix = settings.topic_prefix
        self._codec = codec
        self._publisher = publisher
        self._clock = clock

    def send(self, refused: Sequence[tuple[Message, Exception]]) -> None:
        """Returns once the broker has them. Raises BrokerUnavailable; the same failure has the same id."""
        if not refused:
            return
        self._publisher.publish([self._letter(message, error) for message, error in refused])

    def _letter(self, message: Message, error: Exception) -> Outgoing:
        told = letter(self._consumer, message, error, self._prefix, self._clock(), None)
        return Outgoing(TOPIC, str(told["dead_letter_id"]).encode(), self._codec.encode(TOPIC, told))
