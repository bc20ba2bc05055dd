"""The guard against a bad deploy that would bury every message as a dead letter."""

from __future__ import annotations

from collections import deque

from pipeline.errors import StageStopped
from pipeline.settings import Settings


class DeadLetterRatio:
    """Counts dead letters among the last `dead_letter_window` messages of a process."""

    def __init__(self, settings: Settings) -> None:
        self._window = settings.dead_letter_window
        self._most = settings.dead_letter_ratio_max * settings.dead_letter_window
        self._noted: deque[tuple[int, int]] = deque()
        self._messages = 0
        self._dead = 0

    def note(self, messages: int, dead: int) -> None:
        """`messages` were handled, `dead` of them as dead letters."""
        self._noted.append((messages, dead))
        self._messages += messages
        self._dead += dead
        while self._noted and self._messages - self._noted[0][0] >= self._window:
            gone, gone_dead = self._noted.popleft()
            self._messages -= gone
            self._dead -= gone_dead

    def check(self, more: int = 0) -> None:
        """Raises StageStopped where the dead letters, and `more` to come, are over the allowed share."""
        if self._dead + more > self._most:
            raise StageStopped(
                f"{self._dead + more} dead letters in the last {self._window} messages are too many: look at "
                "their reasons, then mend the producer or the deploy, or raise RB_DEAD_LETTER_RATIO_MAX"
            )
