"""The guard against a bad deploy that would bury good messages as dead letters."""

from __future__ import annotations

from collections import deque
from math import ceil

from pipeline.errors import StagePaused
from pipeline.settings import Settings


class DeadLetterGuard:
    """Watches the share of dead letters among the last `dead_letter_window` messages, and runs of unknown failures.

    A batch that reaches beyond the window, or is larger than it, counts by the part of it that lies within.
    A message that is bad in a known way says nothing of us; several in a row that fail in an unknown way do.
    """

    def __init__(self, settings: Settings) -> None:
        self._window = settings.dead_letter_window
        self._most = settings.dead_letter_ratio_max * settings.dead_letter_window
        self._longest = settings.dead_letter_run_max
        self._pardoned = False
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._noted: deque[tuple[int, int]] = deque()
        self._messages = self._run = 0

    def before(self, messages: int, dead: int, *, unexplained: bool = False) -> None:
        """`dead` of the next `messages` are to become dead letters, for a reason unknown where `unexplained`.

        Raises StagePaused where that would be too many: then none of them may be.
        """
        if self._pardoned:
            return
        if unexplained and self._run >= self._longest:
            raise StagePaused(
                f"{self._run + dead} messages in a row fail for a reason that is not theirs: mend the deploy (the log "
                "says what fails), or raise RB_DEAD_LETTER_RUN_MAX"
            )
        if (found := self._in_window(messages, dead)) > self._most:
            raise StagePaused(
                f"{ceil(found)} dead letters in the last {self._window} messages are too many: look at "
                "their reasons, then mend the producer or the deploy, or raise RB_DEAD_LETTER_RATIO_MAX"
            )

    def done(self, messages: int, dead: int, *, unexplained: bool = False) -> None:
        """`messages` were handled, `dead` of them as dead letters, for a reason unknown where `unexplained`."""
        if dead:
            self._pardoned = False
        self._run = self._run + dead if unexplained else 0
        self._noted.append((messages, dead))
        self._messages += messages
        while self._messages - self._noted[0][0] >= self._window:
            self._messages -= self._noted.popleft()[0]

    def resumed(self) -> None:
        """Somebody looked and let the stage go on: forget what was, and let pass what it was paused for, however many
        attempts that takes."""
        self._start_afresh()
        self._pardoned = True

    def _in_window(self, messages: int, dead: int) -> float:
        """The dead letters in the window once these are noted."""
        found, room = 0.0, self._window
        for size, bad in ((messages, dead), *reversed(self._noted)):
            within = min(size, room)
            found += bad * within / size
            room -= within
            if not room:
                break
        return found
