"""Unmerges, and merges by hand, as the gateway takes and answers them."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from gateway.models import StewardRequest, View
from gateway.taken import Flag, Moment, Text
from gateway.together import SOME, TEXT, all_of, any_of, given

CONDITIONS = ("since", "until", "policy_version", "model_version", "by")


class UnmergeRequest(StewardRequest):
    """An unmerge, to be rehearsed first."""

    dry_run: Flag = Field(False, description="Only say what would move, and what blocks it.")
    plan: str | None = Field(
        None,
        pattern="^[0-9a-f]{16}$",
        description="What a dry run named: just that happens, or nothing (409).",
    )


class SplitRequest(UnmergeRequest):
    """Records to be taken out of a profile: those named, and those of the events named."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra=any_of(given(records=SOME), given(events=SOME))
    )

    records: list[UUID] = Field([], max_length=1_000, description="Its records that are somebody else's.")
    events: list[UUID] = Field([], max_length=1_000, description="Its events whose records are.")


class BulkRollbackRequest(UnmergeRequest):
    """Which merges to undo. At least one of the conditions; without `by` those that the pipeline decided by itself.
    Many are undone as planned only: with `dry_run`, or the `plan` that it named."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=all_of(
            any_of(*(given(**{name: TEXT}) for name in CONDITIONS)),
            any_of(given(dry_run={"const": True}), given(plan=TEXT)),
        ),
    )

    since: Moment | None = Field(None, description="Decided from then on.")
    until: Moment | None = Field(None, description="Decided before.")
    policy_version: Text | None = Field(None, max_length=200)
    model_version: Text | None = Field(None, max_length=200)
    by: Text | None = Field(None, max_length=100, description="Approved by this steward.")


class JoinRequest(UnmergeRequest):
    """Profiles that are one customer."""

    profiles: list[UUID] = Field(
        min_length=2,
        max_length=10,
        description="None twice, and none that was merged away.",
        examples=[["019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10", "019c1f3a-52c0-7d10-8b22-7f1e6c4a3b21"]],
        json_schema_extra={"uniqueItems": True},
    )


class Move(View):
    """Records, and with them events and identifiers, that leave a profile. `restored`: the target comes back under its
    old id."""

    source: UUID
    target: UUID
    destination: Literal["restored", "new", "standing"]
    records: list[UUID]
    events: int
    identifiers: int


class UndoneMerge(View):
    """A merge undone: `restored` holds the source's records again, `kept` the target's; no later event joins them.
    `blocked` says why it is not."""

    merge_log_id: UUID
    restored: UUID | None
    kept: UUID | None
    rollback_log_id: UUID | None = Field(
        description="The entry in the merge log; none in a dry run, or of a merge that had come apart before."
    )
    blocked: str | None


class Unmerged(View):
    """What an unmerge did, or would do where it is `rehearsed`: then send `plan` to have just this done. `asked` and
    `retired` are how many reviews came and went. New profiles get other ids when it is done."""

    merges: list[UndoneMerge]
    moves: list[Move]
    asked: int
    retired: int
    plan: str
    rehearsed: bool


class Joined(View):
    """What joining profiles did, or would do where it is `rehearsed`: then send `plan` to have just this done.
    `merge_log_ids` are what to roll back to undo it; none of a dry run. `asked` and `retired` are how many reviews came
    and went."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "profile_id": "019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10",
                "merge_log_ids": ["019c1f3a-5312-7d1e-8a02-3c4d5e6f7081"],
                "moves": [
                    {
                        "source": "019c1f3a-52c0-7d10-8b22-7f1e6c4a3b21",
                        "target": "019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10",
                        "destination": "standing",
                        "records": ["7e2d4a6b-8c0e-1f1b-8f6c-1e8a3d4f5b9c"],
                        "events": 4,
                        "identifiers": 2,
                    }
                ],
                "asked": 0,
                "retired": 1,
                "plan": "6c63a6471d29e6d3",
                "rehearsed": False,
            }
        },
    )

    profile_id: UUID = Field(description="It holds the records of all; the other ids lead to it.")
    merge_log_ids: list[UUID]
    moves: list[Move]
    asked: int
    retired: int
    plan: str
    rehearsed: bool


class UnmergedMany(View):
    """Merges that hang together are undone together: a group each. `plan` names the plans of all."""

    plan: str
    groups: list[Unmerged]
