"""How fast a rotation may go, so that events keep flowing beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """So many `rows` are taken at once, and no more than `per_s` a second; 0 is as fast as it goes."""

    rows: int = 500
    per_s: int = 0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def rest(self, rows: int, began: float) -> None:
        """Wait as long as so many rows, taken since then, are to last."""
        if self.per_s and (left := rows / self.per_s - (self.clock() - began)) > 0:
            self.sleep(left)
