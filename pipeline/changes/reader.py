"""Reads changes from given positions on by a Kafka client of its own, in no consumer group. Blocks: for threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from pipeline.changes.change import Change, Place, read_change
from pipeline.changes.position import Position
from pipeline.errors import BrokerUnavailable, PositionGone
from pipeline.settings import Settings
from pipeline.stream.kafka import ConsumerErrors, consumer, reader_config
from pipeline.stream.source import message_of
from schemas.codec import Codec

_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the log of a partition holds: offsets from `low` to before `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Read:
    """Changes in the order of each partition, and the ends that were reached of partitions."""

    changes: Sequence[Change]
    ends: Position


class Reader:
    """From a position on. For one thread at a time, but that any may `close` it, which waits for a `read` under way."""

    def __init__(self, settings: Settings, codec: Codec, position: Position, client: str) -> None:
        self._prefix = settings.topic_prefix
        self._codec = codec
        self._errors = ConsumerErrors()
        self._lock = threading.Lock()
        self._client = consumer(reader_config(settings, client))
        self._client.assign(self._on_broker(position))

    def _on_broker(self, position: Position) -> list[TopicPartition]:
        return [TopicPartition(self._prefix + topic, n, at) for (topic, n), at in position.items()]

    def read(self, most: int, seconds: float) -> Read:
        """What is there; waits so long for the first. Raises PositionGone, RegistryUnavailable, StageStopped."""
        changes: list[Change] = []
        ends: dict[Place, int] = {}
        with self._lock:
            found = self._client.consume(most, seconds)
        for message in found:
            error = message.error()
            if error is None:
                changes.append(read_change(message_of(message), self._codec, self._prefix))
            elif error.code() == KafkaError._PARTITION_EOF:
                ends[self._place(message)] = message.offset() or 0
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                raise PositionGone(gone([self._place(message)]))
            else:
                self._errors.meet(error)
        return Read(changes, ends)

    def _place(self, message: KafkaMessage) -> Place:
        return (message.topic() or "").removeprefix(self._prefix), message.partition() or 0

    def pause(self, places: Collection[Place]) -> None:
        """Read nothing of these until `resume`; what was fetched of them is read again then."""
        self._client.pause(self._on_broker(dict.fromkeys(places, 0)))

    def resume(self, places: Collection[Place]) -> None:
        """Read these again."""
        self._client.resume(self._on_broker(dict.fromkeys(places, 0)))

    def close(self) -> None:
        """End the client."""
        with self._lock:
            self._client.close()


async def opened(threads: ThreadPoolExecutor, make: Callable[[], Reader]) -> Reader:
    """A reader that is made on a thread; one that nobody waits for any more is closed."""
    making = threads.submit(make)
    try:
        return await asyncio.wrap_future(making)
    except asyncio.CancelledError:
        making.add_done_callback(_close)
        raise


def _close(made: Future[Reader]) -> None:
    if not made.cancelled() and made.exception() is None:
        made.result().close()


def gone(places: Collection[Place]) -> str:
    """Why a position cannot be read from, and what to do."""
    topics = ", ".join(sorted({topic for topic, _ in places}))
    return (
        f"the topics no longer hold this position ({topics}): what stood between is lost to the feed. Start again "
        "with from=earliest, or with from=latest and read the profiles that you keep afresh"
    )


@contextmanager
def _asking(settings: Settings, client: str) -> Iterator[Consumer]:
    asked = consumer(reader_config(settings, client))
    try:
        yield asked
    except KafkaException as exc:
        raise BrokerUnavailable(exc.args[0].str()) from exc
    finally:
        asked.close()


def bounds(settings: Settings, topics: Collection[str], client: str) -> dict[Place, Bounds]:
    """What the log holds of every partition of some topics. Raises BrokerUnavailable."""
    with _asking(settings, client) as asked:
        found: dict[Place, Bounds] = {}
        for topic in topics:
            name = settings.topic(topic)
            for n in sorted(asked.list_topics(name, timeout=_PATIENCE_S).topics[name].partitions):
                marks = asked.get_watermark_offsets(TopicPartition(name, n), timeout=_PATIENCE_S)
                if marks is None:
                    raise BrokerUnavailable(f"{name} does not say what it holds")
                found[topic, n] = Bounds(*marks)
        return found


def checked(position: Position, held: Mapping[Place, Bounds]) -> dict[Place, int]:
    """A position that was told before as it is to be read now, in what the log holds of its topics: partitions that
    came since are read from their beginning. Raises PositionGone where the log does not hold it."""
    lost = [
        place
        for place, at in position.items()
        if place not in held or not held[place].low <= at <= held[place].high
    ]
    if lost:
        raise PositionGone(gone(lost))
    return {place: position.get(place, found.low) for place, found in held.items()}
