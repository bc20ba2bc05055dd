"""`Source` and `Pauses` in memory, for tests of handlers and of the loop without a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from pipeline.errors import PositionFenced
from pipeline.stream.batch import Batch, Message, Place, batch_of


class MemorySource:
    """Reads lists of messages. `stored` are the positions as the handler commits them.

    `waits` records each wait in seconds; `lose` takes a partition away as a rebalance does; `when_empty` runs when
    all is read.
    """

    def __init__(
        self,
        log: Mapping[Place, Sequence[Message]],
        stored: Mapping[Place, int],
        limit: int,
        when_empty: Callable[[], None],
    ) -> None:
        self._log = log
        self._stored = stored
        self._limit = limit
        self._when_empty = when_empty
        self._expected: dict[Place, int | None] = {}
        self._next: dict[Place, int] = {}
        self._hand: list[Message] = []
        self.waits: list[float] = []
        self.rewind()

    def collect(self) -> tuple[Message, ...]:
        """See `Source`."""
        self.ahead()
        read, self._hand = tuple(self._hand), []
        if not read:
            self._when_empty()
        return read

    def ahead(self) -> tuple[Message, ...]:
        """See `Source`."""
        before = len(self._hand)
        for place, at in self._next.items():
            self._hand += self._log[place][at : at + self._limit - len(self._hand)]
        for message in self._hand[before:]:
            self._next[message.topic, message.partition] = message.offset + 1
        return tuple(self._hand[before:])

    def batch(self, messages: Iterable[Message]) -> Batch:
        """See `Source`."""
        held = self._expected
        return batch_of((m for m in messages if (m.topic, m.partition) in held), held)

    def done(self, batch: Batch) -> None:
        """See `Source`."""
        self._expected |= {(p.topic, p.partition): p.next for p in batch.positions}

    def keep_alive(self, seconds: float) -> None:
        """See `Source`; does not wait."""
        self.waits.append(seconds)

    def look(self) -> None:
        """See `Source`."""
        if any(at != self._stored.get(place) for place, at in self._expected.items()):
            raise PositionFenced("a stored position is not where this worker left it")

    def rewind(self) -> None:
        """See `Source`."""
        self._hand = []
        held = self._expected or self._log
        self._expected = {place: self._stored.get(place) for place in held}
        self._next = {place: self._stored.get(place, 0) for place in held}

    def lose(self, place: Place) -> None:
        """Another worker holds the partition now."""
        del self._expected[place]
        del self._next[place]
        self._hand = [m for m in self._hand if (m.topic, m.partition) != place]

    def close(self) -> None:
        """See `Source`."""


class MemoryPauses:
    """A stage's pause as a value; `looks` runs before each look at it, and may end it."""

    def __init__(self, reason: str | None = None, looks: Callable[[], None] = lambda: None) -> None:
        self.reason = reason
        self.history: list[str] = []
        self._looks = looks

    def paused(self) -> str | None:
        """See `Pauses`."""
        self._looks()
        return self.reason

    def soon(self) -> str | None:
        """See `Pauses`."""
        return self.reason

    def pause(self, reason: str) -> None:
        """See `Pauses`."""
        self.reason = reason
        self.history.append(reason)
