"""When attempts are made again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from pipeline.settings import Settings
from pipeline.webhooks.schedule import Again, Dead, Delivered, Schedule
from pipeline.webhooks.sending import Outcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = Outcome(500, "HTTP 500")


def schedule(**settings: int) -> Schedule:
    return Schedule(Settings.model_validate(settings), random.Random(1))


def waits(outcome: Outcome, one: Schedule) -> list[float]:
    found = [one.judge(outcome, n, NOW) for n in range(1, 9)]
    assert isinstance(found.pop(), Dead)
    return [(verdict.at - NOW) / timedelta(seconds=1) for verdict in found if isinstance(verdict, Again)]


def test_waits_grow_by_jumps_within_bounds_and_end() -> None:
    found = waits(FAILED, schedule())
    full = [1, 4, 16, 64, 256, 600, 600]
    assert len(found) == len(full)
    assert all(most / 2 <= wait <= most for wait, most in zip(found, full, strict=True))
    assert found != waits(FAILED, Schedule(Settings(), random.Random(2))), "no two receivers at once"


def test_what_was_accepted_is_delivered() -> None:
    assert isinstance(schedule().judge(Outcome(204), 8, NOW), Delivered)


def test_retry_after_is_kept_to_within_the_longest_wait() -> None:
    busy = Outcome(503, "HTTP 503", retry_after_s=30.0)
    assert schedule().judge(busy, 1, NOW) == Again(NOW + timedelta(seconds=30))
    for_ever = Outcome(503, "HTTP 503", retry_after_s=1e9)
    assert schedule().judge(for_ever, 1, NOW) == Again(NOW + timedelta(seconds=600))


def test_a_receiver_that_wants_no_more_is_not_asked_again() -> None:
    assert isinstance(schedule().judge(Outcome(410, "HTTP 410"), 1, NOW), Dead)
