"""Merges and splits that no steward asked for, told in the audit log: an entry a transaction."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.audit.actions import Action
from pipeline.audit.entry import UNTOLD, AuditEntry, Occasion, named
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction
from pipeline.store.identity_writer import Author, LoggedMerge

MOST = 1_000
"""Entries of the merge log that one audit entry names."""


def tell_decided(
    tx: Transaction, logged: Sequence[LoggedMerge], author: Author, occasion: Occasion = UNTOLD
) -> None:
    """Tell of what stands in the merge log by now. Nothing where nothing was merged or split."""
    for start in range(0, len(logged), MOST):
        some = logged[start : start + MOST]
        entry = AuditEntry(
            Action.IDENTITY_DECIDED,
            author.actor,
            author.now,
            {profile for one in some for profile in (one.source, one.target)},
            named("merge_log", *(one.merge_log_id for one in some)),
            author.reason,
            occasion,
        )
        write_audit(tx, entry)
