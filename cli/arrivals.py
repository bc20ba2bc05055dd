"""Knows when events that were sent are committed, by asking the store for the ids themselves."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from uuid import UUID

from pipeline.errors import PipelineStalled
from pipeline.store.database import Database

_CHUNK = 1_000


class Arrivals:
    """Counts the committed among the expected events. Asks only for those not yet seen, the oldest first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[list[UUID]] = deque()
        self.expected = 0
        self.committed = 0

    def expect(self, ids: Sequence[UUID]) -> None:
        """Wait for these events as well."""
        distinct = list(dict.fromkeys(ids))
        self.expected += len(distinct)
        self._waiting.extend(distinct[i : i + _CHUNK] for i in range(0, len(distinct), _CHUNK))

    def poll(self) -> int:
        """Ask once; returns how many are still missing."""
        unfinished: deque[list[UUID]] = deque()
        while self._waiting:
            chunk = self._waiting.popleft()
            with self._database.transaction() as tx:
                missing = [row[0] for row in tx.rows("events_missing", (chunk,))]
            self.committed += len(chunk) - len(missing)
            if missing:
                unfinished.append(missing)
            if len(missing) == len(chunk) and len(unfinished) > 1:
                break  # nothing of this one is there: later ones will not be either
        unfinished.extend(self._waiting)
        self._waiting = unfinished
        return self.expected - self.committed

    def wait(
        self, stalled_after_s: float, on_progress: Callable[[int], None], lost: Callable[[], int] = lambda: 0
    ) -> None:
        """Until every expected event is committed, or known to be lost to a dead letter.

        Raises PipelineStalled when nothing was committed for `stalled_after_s` seconds.
        """
        last, since = self.committed, time.monotonic()
        while self.poll() > lost():
            on_progress(self.committed)
            if self.committed != last:
                last, since = self.committed, time.monotonic()
            elif time.monotonic() - since > stalled_after_s:
                raise PipelineStalled(
                    f"{self.expected - self.committed} of {self.expected} events are not committed, and none "
                    f"was in {stalled_after_s:.0f} s; `retail-brain status` shows which process is behind"
                )
            time.sleep(0.1)
        on_progress(self.committed)
