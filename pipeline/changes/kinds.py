"""The types of changes, each declared once with the topic that tells it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import cast

PROFILES, MERGES, REVIEWS, LINKED = "profiles.updates", "identity.merges", "identity.reviews", "events.linked"
TOPICS = (PROFILES, MERGES, REVIEWS, LINKED)
"""The topics that changes come from; positions name them in this order, so it only ever grows at its end."""


class ChangeType(StrEnum):
    """What a change tells."""

    PROFILE_CREATED = "profile.created"
    PROFILE_UPDATED = "profile.updated"
    PROFILE_MERGED = "profile.merged"
    PROFILE_ERASED = "profile.erased"
    MERGE_MERGED = "identity.merged"
    MERGE_SPLIT = "identity.split"
    MERGE_ROLLED_BACK = "identity.rolled_back"
    MERGE_OTHER = "identity.other"
    REVIEW_PENDING = "review.pending"
    REVIEW_OBSOLETE = "review.obsolete"
    REVIEW_APPROVED = "review.approved"
    REVIEW_REJECTED = "review.rejected"
    REVIEW_REVOKED = "review.revoked"
    REVIEW_OTHER = "review.other"
    EVENT_LINKED = "event.linked"
    UNREADABLE = "unreadable"


MEANINGS: Mapping[ChangeType, str] = {
    ChangeType.PROFILE_CREATED: "The first version of a profile.",
    ChangeType.PROFILE_UPDATED: "A later version; `data.change` says why it came.",
    ChangeType.PROFILE_MERGED: "The profile was merged: `data.merged_into` is whom to follow.",
    ChangeType.PROFILE_ERASED: "The profile was erased: delete what you keep of it. It has no `data`.",
    ChangeType.MERGE_MERGED: "Two profiles became one, with the evidence.",
    ChangeType.MERGE_SPLIT: "One profile became two.",
    ChangeType.MERGE_ROLLED_BACK: "A merge was undone.",
    ChangeType.MERGE_OTHER: "A kind of decision that this version does not know.",
    ChangeType.REVIEW_PENDING: "A question waits for a steward, or its evidence changed.",
    ChangeType.REVIEW_OBSOLETE: "The question is none any more.",
    ChangeType.REVIEW_APPROVED: "A steward said yes.",
    ChangeType.REVIEW_REJECTED: "A steward said no.",
    ChangeType.REVIEW_REVOKED: "The answer was taken back; what there still is to ask, a new review asks.",
    ChangeType.REVIEW_OTHER: "A status of a review that this version does not know.",
    ChangeType.EVENT_LINKED: "An event was linked to a profile.",
    ChangeType.UNREADABLE: "A message that does not decode stands at this place; it comes whatever types were chosen.",
}
FAMILIES = {"profile": PROFILES, "identity": MERGES, "review": REVIEWS, "event": LINKED}
CHOICE = frozenset(ChangeType) - {ChangeType.UNREADABLE}


def type_of(topic: str, value: Mapping[str, object] | None) -> ChangeType:
    """What a decoded message of a topic tells; None is a tombstone."""
    if topic == LINKED:
        return ChangeType.EVENT_LINKED
    if topic == PROFILES:
        return _profile_type(value)
    family, field, other = (
        ("identity", "kind", ChangeType.MERGE_OTHER)
        if topic == MERGES
        else ("review", "status", ChangeType.REVIEW_OTHER)
    )
    found = f"{family}.{(value or {}).get(field)}"
    return ChangeType(found) if found in CHOICE else other


def _profile_type(value: Mapping[str, object] | None) -> ChangeType:
    if value is None:
        return ChangeType.PROFILE_ERASED
    if value["status"] == "merged":
        return ChangeType.PROFILE_MERGED
    return ChangeType.PROFILE_CREATED if cast(int, value["version"]) == 1 else ChangeType.PROFILE_UPDATED
