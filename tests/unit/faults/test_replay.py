"""profiles.updates in an empty model: what the order of messages says, without servers."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
import pytest

from faults.finding import FindingKind
from faults.replay import Replay
from faults.state import told
from tests.support.linked import state, uid

Message = tuple[int, str]
"""A version, and what record it tells of."""


def replayed(messages: Iterable[Message | None]) -> Replay:
    """Messages of one profile; None is a tombstone."""
    replay = Replay()
    for message in messages:
        if message is None:
            replay.tombstone(uid("p"))
        else:
            value = state("p", message[0], [message[1]])
            replay.take(uid("p"), orjson.dumps(value), value)
    return replay


@pytest.mark.parametrize(
    ("messages", "kinds"),
    [
        ([(1, "a"), (2, "b"), (3, "c")], []),
        ([(1, "a"), (2, "b"), (1, "a"), (2, "b"), (3, "c"), (3, "c")], []),
        ([(2, "b")], [FindingKind.VERSION_GAP]),
        ([(1, "a"), (3, "c"), (4, "d")], [FindingKind.VERSION_GAP]),
        ([(1, "a"), (3, "c"), (2, "b")], [FindingKind.VERSION_GAP, FindingKind.VERSION_TOLD_TWICE]),
        ([(1, "a"), (2, "b"), (1, "c")], [FindingKind.VERSION_TOLD_TWICE]),
        ([(0, "a"), (1, "a")], [FindingKind.VERSION_TOLD_TWICE]),
    ],
)
def test_versions_run_without_gaps_and_repeats_are_alike(
    messages: list[Message], kinds: list[FindingKind]
) -> None:
    assert [finding.kind for finding in replayed(messages).findings] == kinds


def test_the_highest_version_wins() -> None:
    replay = replayed([(1, "a"), (2, "b"), (1, "a")])
    assert told(replay.messages[uid("p")]).version == 2


def test_an_erased_profile_is_gone_though_all_of_it_is_told_again() -> None:
    replay = replayed([(1, "a"), (2, "b"), None, (1, "a"), (2, "b"), None])
    assert replay.findings == []
    assert list(replay.against({})) == []
    stands = {uid("p"): told(state("p", 2, ["b"]))}
    assert [finding.kind for finding in replay.against(stands)] == [FindingKind.PROFILE_UNTOLD]


def test_every_field_that_differs_is_named() -> None:
    stands = {uid("p"): told({**state("p", 1, ["b"], merged_into="q"), "golden_record": {"email": uid("b")}})}
    found = list(replayed([(1, "a")]).against(stands))
    assert {finding.kind for finding in found} == {FindingKind.STATE_DIFFERS}
    assert [finding.subject.split()[-1] for finding in found] == [
        "status",
        "merged_into",
        "record_ids",
        "golden_record",
    ]
