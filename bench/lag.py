"""How many messages the consumer groups have still to read, all groups together."""

from __future__ import annotations

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.errors import BrokerUnavailable
from pipeline.settings import Settings
from schemas.topics import topics

_TIMEOUT_S = 10.0


class Lag:
    """Sums, over every consumer group, end of the topic less committed offset, for the topics of the house."""

    def __init__(self, settings: Settings) -> None:
        self._admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap})
        self._topics = {settings.topic(name) for name in topics()}

    def total(self) -> int:
        """Messages not read yet. Raises BrokerUnavailable."""
        try:
            committed = self._committed()
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            wanted = {TopicPartition(t, p): latest for _, t, p in committed}
            ends = self._admin.list_offsets(wanted, request_timeout=_TIMEOUT_S)
            end = {(tp.topic, tp.partition): f.result().offset for tp, f in ends.items()}
        except KafkaException as exc:
            raise BrokerUnavailable(str(exc.args[0])) from exc
        return sum(max(0, end[t, p] - offset) for (_, t, p), offset in committed.items())

    def _committed(self) -> dict[tuple[str, str, int], int]:
        groups = self._admin.list_consumer_groups(request_timeout=_TIMEOUT_S).result().valid
        found: dict[tuple[str, str, int], int] = {}
        for group in groups:
            request = [ConsumerGroupTopicPartitions(group.group_id)]
            answers = self._admin.list_consumer_group_offsets(request, request_timeout=_TIMEOUT_S)
            for tp in answers[group.group_id].result().topic_partitions:
                if tp.topic in self._topics and tp.offset >= 0:
                    found[group.group_id, tp.topic, tp.partition] = tp.offset
        return found
