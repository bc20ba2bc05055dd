"""What can be wrong with an audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Breach(StrEnum):
    """What is wrong with an audit log. `MEANINGS` says it in words."""

    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    INSERTED = "inserted"
    CUT_OFF = "cut_off"
    BAD_SIGNATURE = "bad_signature"
    REWRITTEN = "rewritten"
    BROKEN = "broken"
    UNCHAINED = "unchained"
    NEVER_QUEUED = "never_queued"
    MERGE_LOG = "merge_log"
    ERASURE = "erasure"
    UNGUARDED = "unguarded"


MEANINGS: Mapping[Breach, str] = {
    Breach.CHANGED: "An entry, or its place in the chain, is not what was chained.",
    Breach.REMOVED: "An entry that was chained is gone, or what stood before one is.",
    Breach.REORDERED: "Entries stand in another order than they were chained in.",
    Breach.INSERTED: "An entry stands between two that were chained one behind the other.",
    Breach.CUT_OFF: "The chain ends before a head that is known of it, or at an entry that is not signed.",
    Breach.BAD_SIGNATURE: "A signature does not fit: what stands before it may have been made anew.",
    Breach.REWRITTEN: "The chain goes by another hash than a head that was kept says: it was made anew.",
    Breach.BROKEN: "The relay found here that what it had signed was gone, or that the chain did not end signed: what "
    "stands before may have been cut off and made anew.",
    Breach.UNCHAINED: "An entry waits to be chained for longer than a minute: the relay is away, or was kept from it.",
    Breach.NEVER_QUEUED: "An entry is not in the chain and does not wait to be: it was put in past the log, or its "
    "place in the chain was removed.",
    Breach.MERGE_LOG: "What the merge log says is not what was chained, or the audit log tells nothing of it.",
    Breach.ERASURE: "An entry says that a customer was forgotten, and no signed receipt of its own does: it may "
    "have been written to hide what was changed in the merge log.",
    Breach.UNGUARDED: "A trigger that keeps the log from being changed is gone, or off.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. `seq` is the first broken place of the chain, None of what lies outside it."""

    breach: Breach
    seq: int | None
    detail: str

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"breach": self.breach.value, "seq": self.seq, "detail": self.detail}
