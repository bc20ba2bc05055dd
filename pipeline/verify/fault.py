"""What `verify` can find wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What is not as it should be. `MEANINGS` says it in words."""

    RECORD_BROKEN = "record_broken"
    RECORD_ID = "record_id"
    MATCH_KEYS = "match_keys"
    IDENTIFIERS = "identifiers"
    SHARED_IDENTIFIERS = "shared_identifiers"
    EVIDENCE_MISSING = "evidence_missing"
    EVIDENCE_DIFFERS = "evidence_differs"
    EVIDENCE_SURPLUS = "evidence_surplus"
    WRONG_PROFILE = "wrong_profile"
    GOLDEN_RECORD = "golden_record"
    PROFILE_STATE = "profile_state"
    PROFILE_VERSION = "profile_version"
    REVIEW_MISSING = "review_missing"
    REVIEW_SURPLUS = "review_surplus"
    REVIEW_DIFFERS = "review_differs"


MEANINGS: Mapping[FaultKind, str] = {
    FaultKind.RECORD_BROKEN: "A sealed record does not open under its data key.",
    FaultKind.RECORD_ID: "A record's id is not the signature of its content.",
    FaultKind.MATCH_KEYS: "A record is not filed under the match keys that its content gives.",
    FaultKind.IDENTIFIERS: "A record's hashed identifiers are not those of its content.",
    FaultKind.SHARED_IDENTIFIERS: "A record's identifiers are not marked as shared as all that hold them say.",
    FaultKind.EVIDENCE_MISSING: "Two records agree enough to count, and no such evidence is stored.",
    FaultKind.EVIDENCE_DIFFERS: "Stored evidence is not what comparing the two records gives.",
    FaultKind.EVIDENCE_SURPLUS: "Evidence that counts is stored of two records that would not be compared.",
    FaultKind.WRONG_PROFILE: "Records stand in other profiles than they belong in.",
    FaultKind.GOLDEN_RECORD: "A profile's golden record is not that of its records.",
    FaultKind.PROFILE_STATE: "A live profile without records, a merged one with some, or one that leads nowhere.",
    FaultKind.PROFILE_VERSION: "A profile's version is not above one that the merge log saw it have.",
    FaultKind.REVIEW_MISSING: "Two profiles should wait for a steward and do not.",
    FaultKind.REVIEW_SURPLUS: "Two profiles wait for a steward and should not.",
    FaultKind.REVIEW_DIFFERS: "A review does not show the best evidence there is, or why it was not enough.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that stands otherwise than it should. Names ids, never a value of a person."""

    kind: FaultKind
    where: Mapping[str, object]
    stands: object = None
    should: object = None

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"kind": self.kind.value, **self.where, "stands": self.stands, "should": self.should}
