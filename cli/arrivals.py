"""Knows when events that were sent are committed, by asking the store for the ids themselves."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from pipeline.errors import PipelineStalled
from pipeline.identity.ids import Id
from pipeline.store.database import Database

_CHUNK = 1_000
_LATE_CHUNKS = 10  # of those that came late, looked at a time: however many there are, a look costs little


class Patience:
    """Tells a wait in which nothing moves from one that is slow."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._left: int | None = None
        self._since = 0.0

    def ends(self, left: int) -> bool:
        """Whether `left`, what is still waited for, has stayed the same for longer than the seconds given."""
        if left != self._left:
            self._left, self._since = left, self._clock()
        return self._clock() - self._since > self._seconds


Missing = Callable[[list[Id]], list[Id]]
"""Those of the events that are not committed."""


def missing_from(database: Database) -> Missing:
    """Those that are not in the event index."""

    def missing(ids: list[Id]) -> list[Id]:
        with database.transaction() as tx:
            return [row[0] for row in tx.rows("events_missing", (ids,))]

    return missing


class Arrivals:
    """Counts the committed among the expected events. Asks only for those not yet seen, the oldest first."""

    def __init__(self, missing: Missing) -> None:
        self._look = missing
        self._fresh: deque[list[Id]] = deque()
        self._stragglers: list[Id] = []
        self.expected = 0
        self.committed = 0

    def expect(self, ids: Sequence[Id]) -> None:
        """Wait for these events as well."""
        distinct = list(dict.fromkeys(ids))
        self.expected += len(distinct)
        self._fresh.extend(distinct[i : i + _CHUNK] for i in range(0, len(distinct), _CHUNK))

    def poll(self) -> int:
        """Ask once; returns how many may still be missing. Partitions overtake each other, so some come late."""
        late = self._stragglers[: _CHUNK * _LATE_CHUNKS]
        rest = self._stragglers[len(late) :]
        for start in range(0, len(late), _CHUNK):
            rest += self._missing(late[start : start + _CHUNK])
        self._stragglers = rest
        while self._fresh:
            missing = self._missing(self._fresh[0])
            if len(missing) == len(self._fresh[0]):
                break  # nothing of these has come, so nothing of the next ones has
            self._fresh.popleft()
            self._stragglers += missing
        return self.expected - self.committed

    def _missing(self, ids: list[Id]) -> list[Id]:
        missing = self._look(ids)
        self.committed += len(ids) - len(missing)
        return missing

    def wait(
        self, stalled_after_s: float, on_progress: Callable[[int], None], lost: Callable[[], int] = lambda: 0
    ) -> None:
        """Until every expected event is committed, or known to be lost to a dead letter.

        Raises PipelineStalled when nothing was committed for `stalled_after_s` seconds.
        """
        patience = Patience(stalled_after_s)
        while self.poll() > lost():
            on_progress(self.committed)
            if patience.ends(self.expected - self.committed):
                raise PipelineStalled(
                    f"{self.expected - self.committed} of {self.expected} events are not committed, and none "
                    f"was in {stalled_after_s:.0f} s; `retail-brain status` shows which process is behind"
                )
            time.sleep(0.1)
        on_progress(self.committed)
