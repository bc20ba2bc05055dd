"""How long to wait, and when to stop burying."""

from __future__ import annotations

import random

import pytest

from pipeline.errors import StagePaused
from pipeline.settings import Settings
from pipeline.stream.backoff import Backoff
from pipeline.stream.guard import DeadLetterGuard


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


def bury(watch: DeadLetterGuard, *, unexplained: bool = False) -> None:
    watch.before(1, 1, unexplained=unexplained)
    watch.done(1, 1, unexplained=unexplained)


def test_a_run_of_unknown_failures_pauses_the_stage() -> None:
    watch = guard()
    for _ in range(3):
        bury(watch, unexplained=True)
    with pytest.raises(StagePaused, match="4 messages in a row"):
        watch.before(1, 1, unexplained=True)


def test_a_message_that_works_ends_the_run() -> None:
    watch = guard(window=100)
    for _ in range(10):
        bury(watch, unexplained=True)
        watch.done(1, 0)


def test_the_share_is_of_the_window() -> None:
    watch = guard()
    for _ in range(20):
        watch.done(2, 0)
        bury(watch)
    watch.done(2, 2)
    with pytest.raises(StagePaused, match="6 dead letters in the last 10 messages"):
        watch.before(1, 1)


def test_old_dead_letters_are_forgotten() -> None:
    watch = guard()
    for messages, dead in ((5, 5), (10, 0), (5, 5)):
        watch.before(messages, dead)
        watch.done(messages, dead)


def test_what_leaves_the_window_with_a_batch_does_not_count_against_it() -> None:
    watch = guard()
    watch.done(5, 5)
    watch.done(4, 0)
    watch.before(6, 5)
    with pytest.raises(StagePaused):
        watch.before(5, 5)


def test_a_batch_that_holds_too_many_pauses_the_stage_before_it_is_buried() -> None:
    with pytest.raises(StagePaused):
        guard().before(10, 6)


def test_what_the_stage_was_paused_for_passes_once_somebody_looked() -> None:
    watch = guard()
    watch.done(5, 5)
    with pytest.raises(StagePaused):
        watch.before(4, 4)
    watch.resumed()
    watch.before(6, 6)
    watch.done(6, 6)
    with pytest.raises(StagePaused):
        watch.before(1, 1)


def test_an_attempt_that_came_to_nothing_does_not_use_up_the_leave() -> None:
    """The servers were away: nothing is done, and the same batch is asked for again."""
    watch = guard()
    watch.resumed()
    for _ in range(3):
        watch.before(6, 6)
    watch.done(3, 0)
    watch.before(6, 6)
    watch.done(6, 6)
    with pytest.raises(StagePaused):
        watch.before(1, 1)


def test_a_batch_larger_than_the_window_is_judged_by_its_share() -> None:
    watch = guard(window=1_000, ratio=0.1)
    watch.before(4_000, 160)
    watch.done(4_000, 160)
    watch.before(4_000, 400)
    with pytest.raises(StagePaused, match="101 dead letters in the last 1000 messages"):
        watch.before(4_000, 401)


def test_of_a_batch_at_the_edge_of_the_window_counts_what_lies_within() -> None:
    watch = guard(window=1_000, ratio=0.1)
    watch.done(4_000, 160)
    watch.before(1, 1)
    watch.done(500, 0)
    watch.before(100, 84)
    with pytest.raises(StagePaused):
        watch.before(100, 85)
