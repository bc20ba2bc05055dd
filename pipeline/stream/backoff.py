"""Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015)."""

from __future__ import annotations

import random

from pipeline.settings import Settings


class Backoff:
    """Waits that grow from `retry_initial_ms` to `retry_max_ms`, each drawn from zero to its limit."""

    def __init__(self, settings: Settings, chance: random.Random | None = None) -> None:
        self._initial_s = settings.retry_initial_ms / 1_000
        self._most_s = settings.retry_max_ms / 1_000
        self._chance = chance or random.Random()  # noqa: S311  # spreads load, guards no secret
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        limit = min(self._most_s, self._initial_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return self._chance.uniform(0.0, limit)

    def reset(self) -> None:
        """It worked: start from the beginning next time."""
        self._failures = 0
