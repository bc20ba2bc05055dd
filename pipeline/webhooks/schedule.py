"""When an attempt is made again, and when it is given up: pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.settings import Settings
from pipeline.webhooks.sending import Outcome

_GROWTH = 4.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it, as it says."""


@dataclass(frozen=True, slots=True)
class Again:
    """It failed, and is tried again from then on."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Dead:
    """It failed as often as it may: it waits until somebody replays it."""


Verdict = Delivered | Again | Dead


class Schedule:
    """Waits of `webhook_retry_initial_ms`, four times as long each time up to `webhook_retry_max_ms`, of which a random
    half is left out, so that receivers that come back are not met by all at once. A receiver's `Retry-After` is kept
    to, within that longest wait."""

    def __init__(self, settings: Settings, chance: random.Random | None = None) -> None:
        self._attempts = settings.webhook_attempts
        self._initial_s = settings.webhook_retry_initial_ms / 1_000
        self._most_s = settings.webhook_retry_max_ms / 1_000
        self._chance = chance or random.Random()  # noqa: S311 - spreads load, guards no secret

    def judge(self, outcome: Outcome, attempts: int, now: datetime) -> Verdict:
        """What follows from the outcome of the `attempts`-th attempt."""
        if outcome.accepted:
            return Delivered()
        if attempts >= self._attempts or outcome.gone:
            return Dead()
        wait_s = min(self._most_s, self._initial_s * _GROWTH ** min(attempts - 1, 30))
        wait_s *= self._chance.uniform(0.5, 1.0)
        asked_s = min(outcome.retry_after_s or 0.0, self._most_s)
        return Again(now + timedelta(seconds=max(wait_s, asked_s)))
