"""Membership of a consumer group: by KIP-848 where the broker knows it, else by the classic protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka import Message as KafkaMessage

from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.stream.kafka import Config, ConsumerErrors, consumer, consumer_config, is_fatal


class Member(Protocol):
    """What hears of rebalances: inside `Group.consume` and `Group.close`, in their thread."""

    def assigned(self, partitions: list[TopicPartition]) -> None:
        """These came: hand them to `Group.take` with the offsets to read from."""

    def revoked(self, partitions: list[TopicPartition]) -> None:
        """These go; the next member gets them when this returns."""

    def lost(self, partitions: list[TopicPartition]) -> None:
        """These were given to somebody else meanwhile."""

    def told(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        """The broker was told these offsets, or was not."""


class Group:
    """A consumer in the group `name`, which reads `topics`. Topics and group get the topic prefix. `close` when done.

    A broker that refuses KIP-848 for good before the first partition came is asked by the classic protocol; which of
    its reasons it was the client does not tell in a form that could be relied on.
    """

    def __init__(
        self, name: str, topics: Sequence[str], settings: Settings, member: Member, further: Config
    ) -> None:
        self._name = name
        self._topics = [settings.topic(topic) for topic in topics]
        self._member = member
        self._further = further
        self._errors = ConsumerErrors()
        self._came = False
        self._settings = settings
        self.client = self._join()

    @property
    def _incremental(self) -> bool:
        return self._settings.kafka_group_protocol == "consumer"

    def _join(self) -> Consumer:
        config = consumer_config(self._settings, self._name) | self._further
        client = consumer(config, on_commit=self._member.told)
        client.subscribe(
            self._topics,
            on_assign=lambda _, partitions: self._assigned(partitions),
            on_revoke=lambda _, partitions: self._revoked(partitions),
            on_lost=lambda _, partitions: self._member.lost(partitions),
        )
        return client

    def consume(self, count: int, seconds: float) -> list[KafkaMessage]:
        """Up to `count` messages. Raises StageStopped where Kafka refuses this consumer for good."""
        found = []
        for message in self.client.consume(count, seconds):
            error = message.error()
            if error is None:
                found.append(message)
            elif is_fatal(error) and self._incremental and not self._came:
                self._fall_back(error)
            else:
                self._errors.meet(error)
        return found

    def _fall_back(self, error: KafkaError) -> None:
        get_logger().warning(
            "Kafka refuses the consumer protocol (KIP-848): joining by the classic one; "
            "RB_KAFKA_GROUP_PROTOCOL=classic spares the attempt",
            stage=self._name,
            error=error.str(),
        )
        self._settings = self._settings.model_copy(update={"kafka_group_protocol": "classic"})
        self.rejoin()

    def _assigned(self, partitions: list[TopicPartition]) -> None:
        self._came = True
        self._member.assigned(partitions)

    def take(self, partitions: list[TopicPartition]) -> None:
        """Read these, each from its offset."""
        if self._incremental:
            self.client.incremental_assign(partitions)
        else:
            self.client.assign(partitions)

    def _revoked(self, partitions: list[TopicPartition]) -> None:
        self._member.revoked(partitions)
        if self._incremental:
            self.client.incremental_unassign(partitions)
        else:
            self.client.unassign()

    def rejoin(self) -> None:
        """Give back all partitions, leave, and come anew."""
        self.client.close()
        self.client = self._join()

    def close(self) -> None:
        """Give back all partitions and leave."""
        self.client.close()
