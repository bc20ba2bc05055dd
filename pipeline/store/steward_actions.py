"""What stewards do, told in the audit log: an entry an act, written in the act's own transaction, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pipeline.audit.actions import STEWARD, Action
from pipeline.audit.entry import UNTOLD, AuditEntry, Occasion, named
from pipeline.identity.ids import Id
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction
from pipeline.store.identity_writer import Author

__all__ = ["UNTOLD", "Deed", "Entry", "Occasion", "write_entry"]


class Deed(StrEnum):
    """What a steward did; each is an action of the audit log behind `STEWARD`."""

    APPROVE = "approve"
    REJECT = "reject"
    ASSIGN = "assign"
    SKIP = "skip"
    SPLIT = "split"
    MERGE = "merge"
    ROLLBACK = "rollback"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done. `profiles` are those it was about and those it came to, `merge_logs` the entries of the merge log
    that it undid or wrote."""

    deed: Deed
    profiles: Iterable[Id]
    merge_logs: Iterable[Id] = ()
    review_id: Id | None = None
    details: Mapping[str, object] | None = None


def write_entry(tx: Transaction, entry: Entry, author: Author, occasion: Occasion) -> None:
    """Write it into the audit log."""
    reviews = () if entry.review_id is None else (entry.review_id,)
    told = AuditEntry(
        Action(STEWARD + entry.deed),
        author.actor,
        author.now,
        entry.profiles,
        [*named("review", *reviews), *named("merge_log", *sorted(set(entry.merge_logs)))],
        author.reason,
        occasion,
        entry.details or {},
    )
    write_audit(tx, told)
