"""What the checker can find."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """Which promise did not hold, and where that shows."""

    # events
    EVENT_NOT_STORED = "event_not_stored"
    EVENT_STORED_AGAIN = "event_stored_again"
    EVENT_NOT_CLAIMED = "event_not_claimed"
    CLAIM_DIFFERS = "claim_differs"  # event_index and event name different records
    RECORD_MISSING = "record_missing"
    EVENT_NOT_LINKED = "event_not_linked"
    LINKED_DIFFERS = "linked_differs"  # messages of one event differ, or say other than its row
    LINK_ASTRAY = "link_astray"  # its record does not stand in the profile told, and nothing told led it away

    # profiles
    PROFILE_MISSING = "profile_missing"
    REDIRECT_NOWHERE = "redirect_nowhere"
    REDIRECT_CYCLE = "redirect_cycle"
    EXCLUSIVE_TWICE = "exclusive_twice"

    # stewards
    ACT_LOST = "act_lost"  # acknowledged, and not all of it is there
    ACT_TWICE = "act_twice"
    PARTED_TOGETHER = "parted_together"  # records that a cannot-link parts
    JOINED_APART = "joined_apart"  # records that a must-link joins, and no cannot-link parts

    # profiles.updates
    VERSION_GAP = "version_gap"
    VERSION_TOLD_TWICE = "version_told_twice"  # two different messages of one version
    VERSION_DIFFERS = "version_differs"  # the highest is not that of Postgres
    PROFILE_UNTOLD = "profile_untold"
    PROFILE_SURPLUS = "profile_surplus"  # the topic knows a profile that Postgres does not
    STATE_DIFFERS = "state_differs"

    # the cache
    CACHE_MISSING = "cache_missing"
    CACHE_SURPLUS = "cache_surplus"
    CACHE_VERSION = "cache_version"
    CACHE_STATE = "cache_state"

    # embeddings
    EMBEDDING_MISSING = "embedding_missing"
    EMBEDDING_SURPLUS = "embedding_surplus"  # nothing was bought, or the profile is merged or gone
    EMBEDDING_DIFFERS = "embedding_differs"  # it is not that of what was bought

    # the house at rest
    OUTBOX_LEFT = "outbox_left"
    MESSAGE_BROKEN = "message_broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as promised. Its text is one line; it names ids and hashes, never a value."""

    kind: FindingKind
    subject: str
    seen: str
    expected: str

    def __str__(self) -> str:
        """The finding as a line."""
        return f"{self.kind}: {self.subject}: {self.seen}; expected {self.expected}"
