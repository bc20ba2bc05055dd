"""The types of changes, each declared once with the topic that tells it, and the choice of some of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from pipeline.errors import BadInput

if TYPE_CHECKING:
    from pipeline.changes.change import Change

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
    ChangeType.REVIEW_OTHER: "A status of a review that this version does not know.",
    ChangeType.EVENT_LINKED: "An event was linked to a profile.",
    ChangeType.UNREADABLE: "A message that does not decode stands at this place; it comes whatever types were chosen.",
}
_FAMILIES = {"profile": PROFILES, "identity": MERGES, "review": REVIEWS, "event": LINKED}
_CHOICE = frozenset(ChangeType) - {ChangeType.UNREADABLE}


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
    return ChangeType(found) if found in _CHOICE else other


def _profile_type(value: Mapping[str, object] | None) -> ChangeType:
    if value is None:
        return ChangeType.PROFILE_ERASED
    if value["status"] == "merged":
        return ChangeType.PROFILE_MERGED
    return ChangeType.PROFILE_CREATED if cast(int, value["version"]) == 1 else ChangeType.PROFILE_UPDATED


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes somebody wants: of these types, and of this profile if one is named."""

    types: frozenset[ChangeType] = _CHOICE
    profile: str | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics to read, in their order."""
        needed = {_FAMILIES[one.partition(".")[0]] for one in self.types}
        return tuple(topic for topic in TOPICS if topic in needed)

    def __call__(self, change: Change) -> bool:
        """Whether a change of one of those topics is wanted."""
        if change.type is ChangeType.UNREADABLE:
            return True  # what it would have told nobody knows: whoever reads its topic hears of it
        return change.type in self.types and (self.profile is None or self.profile in change.profiles)


def types_of(names: Iterable[str]) -> frozenset[ChangeType]:
    """The types of these names, `profile.*` being all that begin so; none: all. Raises BadInput that names the wrong
    one and those there are."""
    found: set[ChangeType] = set()
    for name in names:
        family, _, rest = name.partition(".")
        some = {one for one in _CHOICE if rest == "*" and one.startswith(f"{family}.")} or (
            {ChangeType(name)} if name in _CHOICE else set()
        )
        if not some:
            raise BadInput(
                "type", f"{name[:60]!r} is none; there are {', '.join(sorted(_CHOICE))}, and profile.*"
            )
        found |= some
    return frozenset(found) or _CHOICE
