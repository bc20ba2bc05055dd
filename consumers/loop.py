"""The loop of the consumers that keep a projection of topics in Redis: decode, apply, move on.

Effects first, then positions, and every projection takes a message twice without harm: whatever ends a consumer,
wherever, the next one ends in the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Generic, Protocol, TypeVar

from redis import Redis

from consumers.letters import Letters
from consumers.redis_port import Positions, RedisPositions, connect
from consumers.source import IN_BULK, lower_of_both
from pipeline import metrics
from pipeline.errors import BadMessage
from pipeline.log import configure, get_logger
from pipeline.settings import Settings
from pipeline.stream.batch import Advance, Batch, Message
from pipeline.stream.deadletter import reason_of
from pipeline.stream.loop import Loop
from pipeline.stream.pausing import StoredPauses
from pipeline.stream.process import stop_on_signals
from pipeline.stream.publish import KafkaPublisher
from pipeline.stream.source import KafkaSource
from schemas.codec import Codec, load_codec

Fact = TypeVar("Fact")


class Projection(Protocol[Fact]):
    """What a consumer makes of its topics."""

    @property
    def name(self) -> str:
        """Names the consumer group, the positions, metrics and dead letters."""

    @property
    def topics(self) -> Sequence[str]:
        """The topics of schemas/topics.yaml that are read."""

    def read(self, topic: str, key: bytes | None, value: Mapping[str, object] | None) -> Fact | None:
        """What a message says; None where it says nothing of interest. A value of None is a tombstone.

        Raises BadMessage.
        """

    def apply(self, facts: Sequence[Fact]) -> None:
        """Make the facts stand; one that came before, or was overtaken, changes nothing. Raises CacheUnavailable."""

    def rest(self) -> None:
        """Work that waited for an idle moment. Raises CacheUnavailable."""


class ProjectionHandler(Generic[Fact]):
    """A projection as the handler of `pipeline.stream.loop.Loop`."""

    def __init__(
        self,
        projection: Projection[Fact],
        settings: Settings,
        codec: Codec,
        positions: Positions,
        letters: Letters,
    ) -> None:
        self._projection = projection
        self._prefix = settings.topic_prefix
        self._codec = codec
        self._positions = positions
        self._letters = letters
        self.stage = projection.name
        self.topic = projection.topics[0]
        self.may_refuse: Callable[[int, int], None] = lambda messages, refused: None

    def handle(self, batch: Batch) -> int:
        """Apply a batch, dead-letter what cannot be read, keep the positions. Returns how many were refused."""
        facts: list[Fact] = []
        refused: list[tuple[Message, Exception]] = []
        for message in batch.messages:
            try:
                fact = self._read(message)
            except BadMessage as exc:
                refused.append((message, exc))
            else:
                if fact is not None:
                    facts.append(fact)
        if refused:
            self.may_refuse(len(batch.messages), len(refused))
        self._projection.apply(facts)
        self._letters.send(refused)
        self._positions.store(batch.positions)
        for message, error in refused:
            self._note(message, error)
        return len(refused)

    def _read(self, message: Message) -> Fact | None:
        topic = message.topic.removeprefix(self._prefix)
        value = self._codec.decode(topic, message.value) if message.value else None
        return self._projection.read(topic, message.key, value)

    def _note(self, message: Message, error: Exception) -> None:
        metrics.DEAD_LETTERS.labels(self.stage, reason_of(error)).inc()
        get_logger().warning(
            "a message was refused",
            stage=self.stage,
            reason=reason_of(error),
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
        )

    def bury(self, message: Message, advance: Advance, error: Exception) -> None:
        """One message that cannot be applied becomes a dead letter."""
        self._letters.send([(message, error)])
        self._positions.store([advance])

    def settle(self) -> None:
        """Nothing came for a while."""
        self._projection.rest()


def run(settings: Settings, make: Callable[[Redis], Projection[Fact]]) -> None:
    """A consumer process, until SIGTERM. Raises StageStopped, ConfigurationError."""
    with connect(settings) as redis:
        projection = make(redis)
        configure(settings, projection.name)
        metrics.serve(settings)
        stop = stop_on_signals()
        positions = RedisPositions(redis, settings.topic(projection.name))
        codec = load_codec(settings)
        with closing(KafkaPublisher(settings, projection.name, stop.is_set)) as publisher:
            letters = Letters(projection.name, settings, codec, publisher)
            handler = ProjectionHandler(projection, settings, codec, positions, letters)
            source = KafkaSource(
                projection.name,
                projection.topics,
                settings,
                lower_of_both(positions),
                stop,
                reading=IN_BULK,
            )
            get_logger().info("consumer starts", consumer=projection.name)
            with closing(source):
                Loop(handler, source, settings, stop, StoredPauses(projection.name, settings)).run()
