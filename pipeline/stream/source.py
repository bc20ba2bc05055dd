"""A consumer whose positions live beside its effects, and who knows which partitions it lost meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Protocol, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from pipeline import metrics
from pipeline.errors import (
    BrokerUnavailable,
    ConfigurationError,
    PositionFenced,
    RetryLater,
    StageStopped,
)
from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.stream.backoff import Backoff
from pipeline.stream.batch import Batch, Message, Place, batch_of
from pipeline.stream.group import Group
from pipeline.stream.kafka import Config

_CHUNK = 100  # messages a call: bounds what can come on top of `Reading.batch_bytes`
_IDLE_S = 0.25
_LOOK_S = 5.0
_REPORT_S = 1.0

Stored = Callable[[Consumer, Sequence[Place]], Mapping[Place, int]]
"""The offsets to read from, by place; without one a partition is read from its beginning. Raises RetryLater."""


class Source(Protocol):
    """What the loop reads from. Not for use by several threads."""

    def collect(self) -> tuple[Message, ...]:
        """The next messages of the partitions held; empty after a while of waiting in vain."""

    def ahead(self) -> tuple[Message, ...]:
        """Read on without waiting, while a batch is worked on: part of the next `collect`.

        Raises PositionFenced where that fails: then there may be gaps, and the source is to be rewound; also where
        partitions came whose positions cannot be had at once, for whoever works on the batch holds locks meanwhile.
        """

    def batch(self, messages: Iterable[Message]) -> Batch:
        """Those collected messages whose partitions were held without a break since, with their positions."""

    def done(self, batch: Batch) -> None:
        """The effects of a batch are committed."""

    def keep_alive(self, seconds: float) -> None:
        """Wait without reading, but stay a member of the group."""

    def look(self) -> None:
        """Nothing comes, and all that was done is stored: are the positions where this worker left them?

        Raises PositionFenced where they are not, as of a Postgres that lost its latest commits; RetryLater.
        """

    def rewind(self) -> None:
        """Read on from the stored positions. Raises RetryLater."""

    def close(self) -> None:
        """Leave the group."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source reads. After the first message of a batch it waits for more, `linger_over_work` times as long as
    the last batch took, within `batch_linger_ms` and `batch_linger_max_ms`: quick answers at leisure, large and
    therefore cheap batches under load. While nothing comes it looks every `look_s` seconds at the stored positions.
    """

    linger_over_work: float = 1.0
    batch_bytes: int = 16 * 2**20
    config: Config = field(default_factory=dict)
    look_s: float = inf


@dataclass(slots=True, eq=False)
class _Held:
    """A partition from assignment to revocation; `stored` is its position, None where there is none."""

    stored: int | None
    read: int | None  # the offset that comes next, None where whatever is first in the log will do
    told: int | None = None  # the offset last committed to the broker
    looked: float = 0.0  # when a gap was last looked into


class KafkaSource:
    """`Source` on the consumer group `name` over some topics.

    `settle` is called while partitions that go are still held.
    """

    def __init__(
        self,
        name: str,
        topics: Sequence[str],
        settings: Settings,
        stored: Stored,
        stop: threading.Event,
        *,
        reading: Reading = Reading(),
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._load = stored
        self._stop = stop
        self._reading = reading
        self._settle = settle
        self._held: dict[Place, _Held] = {}
        self._handed_over = time.monotonic()
        self._collected: dict[Place, _Held] = {}
        self._hand: list[Message] = []
        self._hand_bytes = 0
        self._torn = False  # reading ahead failed, and no batch was done since
        self._is_ahead = False
        self._unplaced: set[Place] = set()  # ours, and not read: from where could not be found out
        self._paused = False
        self._reported = 0.0
        self._looked = 0.0
        self._group = Group(name, topics, settings, self, reading.config)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────

    def collect(self) -> tuple[Message, ...]:
        """Up to `batch_max_events` or `Reading.batch_bytes`."""
        least, most = self._settings.batch_linger_ms / 1_000, self._settings.batch_linger_max_ms / 1_000
        worked = self._reading.linger_over_work * (time.monotonic() - self._handed_over)
        linger = min(max(least, worked), max(least, most))
        if not self._hand:
            self._read(1, _IDLE_S)
        deadline = time.monotonic() + linger
        while self._hand and (room := self._room()):
            self._read(room, max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                break
        messages = tuple(self._hand)
        self._empty_hand()
        self._collected = dict(self._held)
        self._handed_over = time.monotonic()
        if not messages:
            self._report()
        return messages

    def ahead(self) -> tuple[Message, ...]:
        """See `Source`; rebalances happen in here."""
        if self._torn:
            return ()
        had = set(map(id, self._hand))
        self._is_ahead = True
        try:
            while (room := self._room()) and self._read(room, 0.0):
                pass
        except (StageStopped, ConfigurationError):
            raise
        except Exception as exc:
            # what the client had taken from its queue may be gone with it: read on from the stored positions, and not
            # ahead before a batch is done, or what fails each time would keep us from the one in hand for ever
            self._torn = True
            get_logger().warning("reading ahead failed", stage=self._name, exc_info=exc)
            raise PositionFenced("reading ahead failed") from exc
        finally:
            self._is_ahead = False
        if self._unplaced:
            raise PositionFenced("partitions came, and their positions cannot be had at once")
        return tuple([m for m in self._hand if id(m) not in had])

    def _room(self) -> int:
        """How many messages the hand still takes at once; 0 where it is full."""
        if self._hand_bytes >= self._reading.batch_bytes:
            return 0
        return min(_CHUNK, max(0, self._settings.batch_max_events - len(self._hand)))

    def _read(self, count: int, seconds: float) -> bool:
        """Take messages into the hand; rebalances happen in here. Whether any came."""
        came = False
        for raw in self._group.consume(count, seconds):
            message = message_of(raw)
            held = self._held.get((message.topic, message.partition))
            if held is not None:
                if held.read is not None and message.offset != held.read:
                    self._look_into_gap(message, held, held.read)
                held.read = message.offset + 1
                self._hand.append(message)
                self._hand_bytes += len(message.value or b"")
                came = True
        return came

    def _look_into_gap(self, message: Message, held: _Held, expected: int) -> None:
        """Transactions and compaction leave gaps; expired messages and a new log are to be seen."""
        if message.offset > expected and time.monotonic() - held.looked < _LOOK_S:
            return
        held.looked = time.monotonic()
        place = TopicPartition(message.topic, message.partition)
        try:
            low, _ = self._group.client.get_watermark_offsets(place, timeout=_LOOK_S)
        except KafkaException as exc:
            get_logger().warning("a gap could not be looked into", error=str(exc))
            return
        if expected < low or message.offset < expected:
            get_logger().error(
                "the position is not in the log: messages were deleted before they were read, or the log is a "
                "new one",
                topic=message.topic,
                partition=message.partition,
                position=expected,
                going_on_from=message.offset,
            )
            metrics.POSITIONS_LOST.labels(self._name, message.topic).inc()

    def _empty_hand(self) -> None:
        self._hand, self._hand_bytes = [], 0

    def batch(self, messages: Iterable[Message]) -> Batch:
        """See `Source`."""
        held = {place: h.stored for place, h in self._held.items() if self._collected.get(place) is h}
        return batch_of((m for m in messages if (m.topic, m.partition) in held), held)

    def done(self, batch: Batch) -> None:
        """See `Source`."""
        self._torn = False
        for position in batch.positions:
            place = (position.topic, position.partition)
            held = self._held.get(place)
            # a partition that went and came back meanwhile is read from where it was stored then
            if held is not None and self._collected.get(place) is held:
                held.stored = position.next
        self._report()

    # ── waiting and going back ────────────────────────────────────────────────────────────────────────────

    def keep_alive(self, seconds: float) -> None:
        """See `Source`; returns early on stop."""
        self._paused = True
        self._group.client.pause([TopicPartition(*place) for place in self._held])
        deadline = time.monotonic() + seconds
        while not self._stop.is_set() and (left := deadline - time.monotonic()) > 0:
            # nothing is expected from paused partitions; what comes nevertheless must not get lost
            self._read(1, min(left, 0.1))
        self._paused = False
        self._group.client.resume([TopicPartition(*place) for place in self._held])

    def look(self) -> None:
        """See `Source`."""
        if time.monotonic() - self._looked < self._reading.look_s:
            return
        self._looked = time.monotonic()
        stored = self._load(self._group.client, list(self._held))
        if any(held.stored != stored.get(place) for place, held in self._held.items()):
            raise PositionFenced("a stored position is not where this worker left it")

    def rewind(self) -> None:
        """See `Source`."""
        stored = self._load(self._group.client, list(self._held))
        self._empty_hand()
        if self._unplaced:
            # a seek so soon after a partition came may be overtaken by where it was first to be read from
            self._group.rejoin()
            self._held, self._unplaced = {}, set()
            return
        self._held = {place: _Held(stored.get(place), stored.get(place)) for place in self._held}
        try:
            for place in self._held:
                self._group.client.seek(TopicPartition(*place, stored.get(place, OFFSET_BEGINNING)))
        except KafkaException as exc:
            raise BrokerUnavailable("a partition cannot be read from its stored position yet") from exc

    def close(self) -> None:
        """See `Source`."""
        self._report(at_last=True)
        self._group.close()

    def _report(self, at_last: bool = False) -> None:
        """Once a second, best effort: lag as a metric, and offsets where lag tools look for them."""
        if not at_last and time.monotonic() - self._reported < _REPORT_S:
            return
        self._reported = time.monotonic()
        offsets = []
        for (topic, partition), held in self._held.items():
            place = TopicPartition(topic, partition)
            marks = self._group.client.get_watermark_offsets(place, cached=True)
            if marks is not None and marks[1] >= 0 and held.stored is not None:
                lag = max(0, marks[1] - held.stored)
                metrics.LAG_MESSAGES.labels(self._name, topic, partition).set(lag)
            if held.stored is not None and held.stored != held.told:
                offsets.append(TopicPartition(topic, partition, held.stored))
                held.told = held.stored
        if offsets:
            try:
                self._group.client.commit(offsets=offsets, asynchronous=True)
            except KafkaException as exc:
                get_logger().debug("offsets for lag tools were not committed", error=str(exc))

    # ── see `group.Member` ────────────────────────────────────────────────────────────────────────────────

    def told(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        """What the broker was not told it is told again."""
        for place in places if error is not None else ():
            held = self._held.get((place.topic, place.partition))
            if held is not None:
                held.told = None

    def assigned(self, partitions: list[TopicPartition]) -> None:
        """Read from the stored positions."""
        places = [(p.topic, p.partition) for p in partitions]
        stored = self._stored(places)
        for partition, place in zip(partitions, places, strict=True):
            partition.offset = OFFSET_BEGINNING if stored is None else stored.get(place, OFFSET_BEGINNING)
        self._group.take(partitions)
        if stored is not None:
            self._held |= {place: _Held(stored.get(place), stored.get(place)) for place in places}
        else:  # what we could not place must not be read
            self._unplaced |= set(places)
        if self._paused or stored is None:
            self._group.client.pause(partitions)
        get_logger().info("partitions assigned", stage=self._name, partitions=sorted(places))

    def _stored(self, places: Sequence[Place]) -> Mapping[Place, int] | None:
        """Waits for the store: without positions nothing can be read. None where the process stops before, or would
        have to wait amid reading ahead."""
        backoff = Backoff(self._settings)
        while not self._stop.is_set():
            try:
                return self._load(self._group.client, places)
            except RetryLater as exc:
                get_logger().warning("waiting for positions", stage=self._name, error=str(exc))
                if self._is_ahead:
                    return None
                self._stop.wait(backoff.next())
        return None

    def revoked(self, partitions: list[TopicPartition]) -> None:
        """Finish what can be finished."""
        try:
            self._settle()
        except RetryLater as exc:  # the next holder gets these messages again, and finds them done
            get_logger().info("positions were not written before a rebalance", error=str(exc))
        self._report(at_last=True)
        self._drop(partitions)

    def lost(self, partitions: list[TopicPartition]) -> None:
        """Forget them."""
        self._drop(partitions)
        get_logger().warning("partitions lost: this worker was away too long", stage=self._name)

    def _drop(self, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self._held.pop((partition.topic, partition.partition), None)
            self._unplaced.discard((partition.topic, partition.partition))
            metrics.forget_lag(self._name, partition.topic, partition.partition)
        self._hand = [m for m in self._hand if (m.topic, m.partition) in self._held]
        self._hand_bytes = sum(len(m.value or b"") for m in self._hand)


def message_of(message: KafkaMessage) -> Message:
    """A consumed message as ours."""
    _, milliseconds = message.timestamp()
    return Message(
        # the client types these as optional for messages that were not sent yet; a consumed one has them all
        cast(str, message.topic()),
        cast(int, message.partition()),
        cast(int, message.offset()),
        datetime.fromtimestamp(milliseconds / 1_000, UTC),
        message.key(),
        message.value(),
        tuple(cast(list[tuple[str, bytes | None]], message.headers() or ())),
    )
