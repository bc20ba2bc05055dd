"""The guard against a bad deploy that would bury good messages as dead letters."""

from __future__ import annotations

from collections import deque

from pipeline.codes import ReasonCode
from pipeline.errors import StageStopped
from pipeline.settings import Settings


class DeadLetterGuard:
    """Watches the share of dead letters among the last `dead_letter_window` messages, and runs of unknown failures.

    A message that is bad in a known way says nothing of us; several in a row that fail in an unknown way do.
    """

    def __init__(self, settings: Settings) -> None:
        self._window = settings.dead_letter_window
        self._most = settings.dead_letter_ratio_max * settings.dead_letter_window
        self._noted: deque[tuple[int, int]] = deque()
        self._messages = 0
        self._dead = 0
        self._longest = settings.dead_letter_run_max
        self._run = 0

    def before_burying(self, reason: ReasonCode) -> None:
        """Raises StageStopped where one more message must not become a dead letter."""
        if reason is ReasonCode.PROCESSING_FAILED and self._run >= self._longest:
            raise StageStopped(
                f"{self._run + 1} messages in a row fail for a reason that is not theirs: mend the deploy (the log "
                "says what fails), or raise RB_DEAD_LETTER_RUN_MAX"
            )
        self._check(self._dead + 1)

    def done(self, messages: int, dead: int, *, unexplained: bool = False) -> None:
        """`messages` were handled, `dead` of them as dead letters, for a reason unknown where `unexplained`.

        Raises StageStopped where there are too many.
        """
        self._run = self._run + dead if unexplained else 0
        self._noted.append((messages, dead))
        self._messages += messages
        self._dead += dead
        while self._noted and self._messages - self._noted[0][0] >= self._window:
            gone, gone_dead = self._noted.popleft()
            self._messages -= gone
            self._dead -= gone_dead

        self._check(self._dead)

    def _check(self, dead: int) -> None:
        if dead > self._most:
            raise StageStopped(
                f"{dead} dead letters in the last {self._window} messages are too many: look at "
                "their reasons, then mend the producer or the deploy, or raise RB_DEAD_LETTER_RATIO_MAX"
            )
