"""What goes through the Kafka loop: messages in batches, and the handler that a stage is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

Place = tuple[str, int]  # topic on the broker, partition


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came. `topic` is its name on the broker, with prefix; `timestamp` the broker's."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: tuple[tuple[str, bytes | None], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Advance:
    """The stored position of a partition moves from `expected` (None: nothing is stored yet) to `next`."""

    topic: str
    partition: int
    expected: int | None
    next: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages, in order within a partition, and where each partition stands once they are handled."""

    messages: tuple[Message, ...]
    positions: tuple[Advance, ...]


def batch_of(messages: Iterable[Message], stored: Mapping[Place, int | None]) -> Batch:
    """A batch with its positions, sorted by topic and partition, so that rows are locked in one order."""
    kept = tuple(messages)
    last = {(m.topic, m.partition): m.offset for m in kept}
    return Batch(kept, tuple(Advance(*place, stored[place], last[place] + 1) for place in sorted(last)))


class Handler(Protocol):
    """A stage. `stage` names its positions, `topic` (without prefix) is what it reads."""

    @property
    def stage(self) -> str:
        """The namespace of positions, dead letters and metrics, and the name of the consumer group."""

    @property
    def topic(self) -> str:
        """The topic of schemas/topics.yaml that is read."""

    def handle(self, batch: Batch) -> int | None:
        """All effects of a batch and its positions, in one transaction; returns how many it dead-lettered.

        Raises RetryLater to get the batch again later. Any other exception makes the loop search for the
        message that causes it.
        """

    def bury(self, message: Message, advance: Advance, error: Exception) -> None:
        """Make one message a dead letter and advance past it, in one transaction. Raises RetryLater."""


@runtime_checkable
class Settling(Protocol):
    """A handler that writes the positions of a batch later than its effects."""

    def settle(self) -> None:
        """Write what is pending: called when idle, before partitions go, at the end. Raises RetryLater."""


@runtime_checkable
class Refusing(Protocol):
    """A handler that makes dead letters by itself, in `handle`.

    Before their effects stand it asks `may_refuse`, which the loop sets: of so many messages so many are to be refused.
    Raises StagePaused where the stage is to wait rather than refuse them; `handle` passes it on, and gets the batch
    again.
    """

    may_refuse: Callable[[int, int], None]


@runtime_checkable
class Preparing(Protocol):
    """A handler that has time for the next batch's messages while its servers work on this one's.

    It calls `meanwhile`, which the loop sets, in `handle`, and is given what came by then to `prepare`. Nothing rests
    on it: a message that was prepared may never be handled, and one that is handled may not have been prepared.
    """

    meanwhile: Callable[[], None]

    def prepare(self, messages: Sequence[Message]) -> None:
        """Do what needs no server. What a message refuses is raised when it is handled."""
