"""Whether the audit log stands as it was chained, and all that belongs into it is in it. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.audit.breach import Breach, Finding
from pipeline.audit.checking import check
from pipeline.audit.signing import Head, PublicKeys, must_be_signed
from pipeline.store.audit import StoredChain
from pipeline.store.database import Database, Transaction

PATIENCE_S = 60.0
"""For so long an entry may wait to be chained."""
_TOLD = 20
"""Of a kind that lies outside the chain, so many are named."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How many entries hold, the last head among them, and what is wrong: of the chain the first place where it is
    broken, and everything outside it."""

    entries: int
    head: Head | None
    findings: tuple[Finding, ...]


def verify_stored(database: Database, keys: PublicKeys, heads: Sequence[Head] = ()) -> Verified:
    """Check the whole chain, against `heads` that were kept of it, and what lies outside it.

    Reads one snapshot, and streams. Raises BadInput (a head that no key of `keys` signed), StoreUnavailable.
    """
    must_be_signed(heads, keys)
    with database.snapshot() as tx:
        checked = check(StoredChain(tx), keys, heads)
        broken = () if checked.finding is None else (checked.finding,)
        return Verified(checked.seq, checked.signed, (*broken, *_outside(tx)))


def _outside(tx: Transaction) -> Iterator[Finding]:
    for entry_id, action in tx.rows("entries_never_queued", (_TOLD,)):
        detail = f"entry {entry_id} ({action}) is not in the chain and does not wait to be"
        yield Finding(Breach.NEVER_QUEUED, None, detail)
    ((late,),) = tx.rows("entries_waiting_long", (PATIENCE_S,))
    if late:
        yield Finding(Breach.UNCHAINED, None, f"{late} entries wait to be chained for longer than a minute")
    for entry_id, seq in tx.rows("merge_logs_changed", (_TOLD,)):
        detail = f"entries of the merge log that audit entry {entry_id} names are not what they were then"
        yield Finding(Breach.MERGE_LOG, seq, detail)
    for (merge_log_id,) in tx.rows("merge_logs_untold", (_TOLD,)):
        yield Finding(Breach.MERGE_LOG, None, f"entry {merge_log_id} of the merge log is in no audit entry")
