"""Any history with rotations of the keys anywhere in it ends as the history without them.

RB_TEST_ROTATIONS=300 draws so many.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.answer import Answer
from pipeline.erasure.erase import forget_now
from pipeline.errors import Conflict
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.store.roles import Role
from pipeline.unmerge.asked import Asked
from tests.integration.test_order import log
from tests.servers import TestStack
from tests.support.people import narrow
from tests.support.pipeline import EventIn, StagesOnPostgres
from tests.support.rotating import ASKED, Act, History, Rotation, stands_after

HISTORIES = int(os.environ.get("RB_TEST_ROTATIONS", "12"))


def undone(stages: StagesOnPostgres) -> None:
    """The merge of the lowest records is undone; none of several into one target, which chance chose among them."""
    rows = stages.rows(
        """SELECT merge_log_id FROM identity_merge_log m WHERE kind = 'merged' AND NOT rolled_back AND NOT EXISTS (
               SELECT FROM identity_merge_log o WHERE o.target_profile = m.target_profile
               AND o.decided_at = m.decided_at AND o.merge_log_id <> m.merge_log_id)
           ORDER BY (SELECT jsonb_agg(r ORDER BY r) FROM jsonb_array_elements(
               (source_snapshot -> 'records') || (target_snapshot -> 'records')) r), decided_at LIMIT 1"""
    )
    for (merge,) in rows:
        with suppress(Conflict):  # its records may stand apart by now
            stages.rollback(merge)


def answered(stages: StagesOnPostgres, answer: Answer) -> None:
    """A review that waits is answered: the one of the lowest records."""
    rows = stages.rows(
        "SELECT review_id FROM review_queue WHERE status = 'pending' ORDER BY kind, low_record, high_record LIMIT 1"
    )
    for (review,) in rows:
        stages.answer(review, answer)


def forgotten(stages: StagesOnPostgres) -> None:
    """The customer of the lowest record is forgotten."""
    for (profile,) in stages.rows("SELECT profile_id FROM identity_record ORDER BY record_id LIMIT 1"):
        forget_now(
            stages.stewardship(Role.ERASER), Id(profile), Asked("officer", "she asked for it", ASKED.now)
        )


def approved(stages: StagesOnPostgres) -> None:
    answered(stages, Answer.APPROVED)


def rejected(stages: StagesOnPostgres) -> None:
    answered(stages, Answer.REJECTED)


rotations = st.builds(Rotation, st.sampled_from([0, 1, 2, 5, 9, 14]), st.sampled_from([1, 3, 20]))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Batches of events of a few people, and between them what stewards do, and rotations."""
    events = log(draw(st.integers(0, 10_000)), count=36)
    found: list[Sequence[EventIn] | Act | Rotation] = []
    while events:
        size = draw(st.integers(1, 15))
        found.append(events[:size])
        events = events[size:]
        found += draw(st.lists(st.sampled_from([undone, approved, rejected, forgotten]), max_size=1))
        found += draw(st.lists(rotations, max_size=2))
    return found


policies = st.builds(narrow, st.sampled_from([3, 5, 200]), st.sampled_from([1, 3, 20])).map(
    lambda p: replace(p, split_limit=1_000, version="narrow")
)


@pytest.mark.stack
@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(histories(), policies)
def test_rotations_change_nothing(
    stack: TestStack, request: pytest.FixtureRequest, history: History, rules: Policy
) -> None:
    template: str = request.getfixturevalue("_migrated")
    plain = stands_after(stack, template, [h for h in history if not isinstance(h, Rotation)], rules)
    rotated = stands_after(stack, template, history, rules)
    differs = {what for what, rows in plain.items() if rotated[what] != rows}
    assert not differs, f"{differs} after {[h if isinstance(h, Rotation) else type(h) for h in history]}"
