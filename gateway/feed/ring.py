"""The newest changes in memory, which all live subscribers read, and each subscriber's place in them. No I/O.

There is no queue a subscriber: however many there are and however slowly they read, memory is that of the ring. Who
falls out of it goes on by a reader of its own, at its own pace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.changes.change import Change, Place
from pipeline.changes.position import Position, encode
from pipeline.changes.wanted import Wanted


class Ring:
    """Changes in the order they came, the oldest dropped beyond `most_bytes` of bodies.

    `next` is where each partition was read to. `epoch` grows when what follows does not go on from what was there.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._changes: dict[int, Change] = {}
        self._end = 0
        self._floor: dict[Place, int] = {}
        self.next: dict[Place, int] = {}
        self.epoch = 0

    @property
    def first(self) -> int:
        """The number of the oldest change there is; each has the next number."""
        return self._end - len(self._changes)

    @property
    def end(self) -> int:
        """The number of the change that comes next."""
        return self._end

    def restart(self, ends: Position) -> None:
        """Hold nothing, and go on from these ends."""
        self._changes, self._held = {}, 0
        self._floor, self.next = dict(ends), dict(ends)
        self.epoch += 1

    def add(self, changes: Iterable[Change]) -> None:
        """Take changes that came, in the order of each partition."""
        for change in changes:
            self._changes[self._end] = change
            self._end += 1
            self._held += len(change.body)
            self.next[change.place] = change.offset + 1
        while self._held > self._most:
            oldest = self._changes.pop(self.first)
            self._held -= len(oldest.body)
            self._floor[oldest.place] = oldest.offset + 1

    def covers(self, position: Position) -> bool:
        """Whether all that follows a position is here, or comes here."""
        return all(at >= self._floor.get(place, at + 1) for place, at in position.items())

    def read(self, at: int, most: int) -> Sequence[Change]:
        """The changes from a number on, which is at least `first`; so many at most."""
        return [self._changes[n] for n in range(at, min(at + most, self._end))]


class Cursor:
    """Where one subscriber stands, whichever way its changes come: what it has seen it does not see again."""

    def __init__(self, position: Position, wanted: Wanted) -> None:
        self.position = dict(position)
        self._wanted = wanted

    @property
    def id(self) -> str:
        """The id to go on after."""
        return encode(self.position)

    def take(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Go past changes; those that are new and wanted, each while the cursor stands right after it."""
        for change in changes:
            at = self.position.get(change.place)
            if at is None or change.offset < at:
                continue
            self.position[change.place] = change.offset + 1
            if self._wanted(change):
                yield change

    def reach(self, ends: Position) -> None:
        """Partitions were read to these ends, and nothing more is there before them."""
        for place, end in ends.items():
            if place in self.position:
                self.position[place] = max(self.position[place], end)
