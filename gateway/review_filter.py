"""Which reviews a list is to hold."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query

from gateway.taken import Text
from pipeline.codes import ReasonCode
from pipeline.store.reviews import Skipped, Wanted

Score = Annotated[float | None, Query(ge=0, le=1)]


def _wanted(
    status: Literal["pending", "obsolete", "approved", "rejected", "revoked"] = "pending",
    kind: Annotated[
        Literal["merge", "split"] | None,
        Query(description="Only pairs that may be one customer, or only profiles that may be several."),
    ] = None,
    assigned_to: Annotated[
        Text | None, Query(max_length=100, description="Only those given to this steward.")
    ] = None,
    unassigned: Annotated[bool, Query(description="Only those that are nobody's.")] = False,
    reason: Annotated[ReasonCode | None, Query(description="Only those asked for this reason.")] = None,
    profile_id: Annotated[UUID | None, Query(description="Only those about this profile.")] = None,
    min_score: Annotated[Score, Query(description="Only those of this confidence and more.")] = None,
    max_score: Annotated[Score, Query(description="Only those of this confidence and less.")] = None,
    skipped: Annotated[
        Skipped, Query(description="What becomes of those put aside, of the pending ones.")
    ] = Skipped.EXCLUDE,
) -> Wanted:
    return Wanted(status, kind, assigned_to, unassigned, reason, profile_id, min_score, max_score, skipped)


Filtered = Annotated[Wanted, Depends(_wanted)]
