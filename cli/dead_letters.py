"""Counts dead letters by the ends of their topic's partitions: cheap enough to ask while events are under way."""

from __future__ import annotations

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from pipeline.settings import Settings
from pipeline.stream.kafka import Admin
from schemas.topics import topics

_TOPIC = "events.dead-letter"
_TIMEOUT_S = 10.0


class DeadLetters:
    """How many dead letters came since this was made, whoever's they are."""

    def __init__(self, settings: Settings) -> None:
        name = settings.topic(_TOPIC)
        self._partitions = [TopicPartition(name, p) for p in range(topics()[_TOPIC].partitions)]
        self._admin = Admin(settings)
        self._before = self._end()

    def new(self) -> int:
        """Dead letters since then. Raises BrokerUnavailable."""
        return self._end() - self._before

    def _end(self) -> int:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        wanted = dict.fromkeys(self._partitions, latest)
        try:
            found = self._admin.client.list_offsets(wanted, request_timeout=_TIMEOUT_S)
            return sum(int(future.result().offset) for future in found.values())
        except KafkaException as exc:
            raise self._admin.unavailable(exc.args[0]) from exc
