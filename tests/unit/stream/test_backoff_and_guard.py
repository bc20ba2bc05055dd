"""How long to wait, and when to stop burying."""

from __future__ import annotations

import random

import pytest

from pipeline.codes import ReasonCode
from pipeline.errors import StageStopped
from pipeline.settings import Settings
from pipeline.stream.backoff import Backoff
from pipeline.stream.guard import DeadLetterGuard

UNKNOWN, KNOWN = ReasonCode.PROCESSING_FAILED, ReasonCode.UNDECODABLE


def test_waits_grow_to_their_limit_and_start_again() -> None:
    backoff = Backoff(Settings(retry_initial_ms=100, retry_max_ms=1_000), random.Random(1))
    waits = [backoff.next() for _ in range(40)]
    assert all(wait <= min(1.0, 0.1 * 2**i) for i, wait in enumerate(waits))
    assert max(waits) > 0.5
    backoff.reset()
    assert backoff.next() <= 0.1


def guard(run: int = 3, window: int = 10, ratio: float = 0.5) -> DeadLetterGuard:
    return DeadLetterGuard(
        Settings(dead_letter_run_max=run, dead_letter_window=window, dead_letter_ratio_max=ratio)
    )


def test_a_run_of_unknown_failures_stops_the_stage() -> None:
    watch = guard()
    for _ in range(3):
        watch.before_burying(UNKNOWN)
        watch.done(1, 1, unexplained=True)
    with pytest.raises(StageStopped):
        watch.before_burying(UNKNOWN)


def test_a_message_that_works_ends_the_run() -> None:
    watch = guard(window=100)
    for _ in range(10):
        watch.before_burying(UNKNOWN)
        watch.done(1, 1, unexplained=True)
        watch.done(1, 0)


def test_the_share_is_of_the_window() -> None:
    watch = guard()
    for _ in range(20):
        watch.done(2, 0)
        watch.before_burying(KNOWN)
        watch.done(1, 1)
    watch.done(2, 2)
    with pytest.raises(StageStopped, match="10 messages"):
        watch.before_burying(KNOWN)


def test_old_dead_letters_are_forgotten() -> None:
    watch = guard()
    watch.done(5, 5)
    watch.done(10, 0)
    watch.done(5, 5)


def test_a_batch_that_holds_too_many_stops_the_stage() -> None:
    with pytest.raises(StageStopped):
        guard().done(10, 6)
