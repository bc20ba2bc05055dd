"""Each type of change is one line that names the customers and why, and no personal data."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson
import pytest

from pipeline.changes.kinds import CHOICE, ChangeType
from pipeline.changes.lines import Told, line

ONE, OTHER = "01a21ec1-f4cd-7457-994a-dc3c2e07a501", "01a21ec2-074b-7885-99fe-f33a0bf8594b"
EVIDENCE = orjson.dumps(
    {
        "evidence": [
            {"weight": 3.0, "levels": [["gender", "exact", 3.0]]},
            {
                "weight": 8.1,
                "levels": [["surname", "exact", 6.1], ["gender", "none", 0.01], ["email", "exact", 9.2]],
            },
        ]
    }
).decode()
MERGE = {"source_profile_id": OTHER, "confidence_score": 0.973, "scoring_details": EVIDENCE}
REVIEW = {
    **MERGE,
    "profile_id": ONE,
    "other_profile_id": OTHER,
    "reason": "household_conflict",
    "kind": "merge",
    "confidence_score": 0.61,
}
WHY = "e-mail +9.2, surname +6.1"


def told(kind: ChangeType, data: Mapping[str, object] | None, version: int | None = None) -> str:
    change = Told(type=kind, timestamp="2026-01-31T09:30:01.612Z", profile_id=ONE, version=version, data=data)
    said = line(change)
    assert re.match(r"\d\d:\d\d:01\.612  ", said)
    return said[14:]


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (ChangeType.MERGE_MERGED, MERGE, f"merged     {ONE} <- {OTHER}  0.97  {WHY}"),
        (ChangeType.MERGE_SPLIT, {**MERGE, "confidence_score": None}, f"split      {ONE} -> {OTHER}  {WHY}"),
        (
            ChangeType.MERGE_ROLLED_BACK,
            {**MERGE, "confidence_score": None, "scoring_details": "{}"},
            f"undone     {ONE} -> {OTHER}",
        ),
        (
            ChangeType.REVIEW_PENDING,
            REVIEW,
            f"review     {ONE} and {OTHER}?  0.61  household_conflict  {WHY}",
        ),
        (
            ChangeType.REVIEW_REJECTED,
            {**REVIEW, "kind": "split", "other_profile_id": ONE},
            f"rejected   {ONE} in parts?  0.61  household_conflict  {WHY}",
        ),
        (ChangeType.PROFILE_ERASED, None, f"erased     {ONE}"),
        (ChangeType.UNREADABLE, None, "unreadable"),
    ],
)
def test_decisions_are_told_with_the_loudest_evidence(
    kind: ChangeType, data: Mapping[str, object] | None, said: str
) -> None:
    assert told(kind, data) == said


def test_events_and_profiles_are_told_with_their_versions() -> None:
    event = {"decision": "linked", "source": "web", "event_type": "purchase", "reasons": ["exact_match"]}
    assert told(ChangeType.EVENT_LINKED, event, 3) == f"linked     {ONE} v3  web purchase  exact_match"
    assert told(ChangeType.PROFILE_UPDATED, {"change": "split"}, 4) == f"updated    {ONE} v4  split"
    assert told(ChangeType.PROFILE_MERGED, {"merged_into": OTHER}, 5) == f"merged     {ONE} v5  into {OTHER}"


@pytest.mark.parametrize("kind", sorted(CHOICE))
def test_every_type_of_change_has_a_line(kind: ChangeType) -> None:
    event = {"decision": "created", "source": "till", "event_type": "visit", "reasons": []}
    data = (
        None if kind is ChangeType.PROFILE_ERASED else {**REVIEW, **event, "merged_into": None, "change": "x"}
    )
    assert ONE in told(kind, data)
