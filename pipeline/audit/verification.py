"""Whether the audit log stands as it was chained, and all that belongs into it is in it. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from pipeline.audit.breach import Breach, Finding
from pipeline.audit.chain import GENESIS
from pipeline.audit.checking import BEGINNING, Start, check
from pipeline.audit.signing import Head, must_be_signed
from pipeline.erasure.receipt import Receipt
from pipeline.erasure.receipt import checked as signed_receipt
from pipeline.errors import BadInput
from pipeline.privacy.keyring import KeyRing
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


def verify_stored(
    database: Database, ring: KeyRing, heads: Sequence[Head] = (), after: Head | None = None
) -> Verified:
    """Check the whole chain, or what stands behind the head `after`, against `heads` that were kept of it; and what
    lies outside it.

    Reads one snapshot, and streams. Raises BadInput (a head that no key of the ring signed, or that stands before
    `after`), StoreUnavailable.
    """
    keys = ring.audit_keys()
    kept = [*heads] if after is None else [*heads, after]
    must_be_signed(kept, keys)
    with database.snapshot() as tx:
        start = BEGINNING if after is None else _before(tx, after)
        if any(head.seq <= start.seq for head in kept):
            raise BadInput(
                "head",
                "it stands before --after, so that nothing is checked there; give the earliest one to it",
            )
        checked = check(StoredChain(tx, start.seq), keys, kept, start)
        return Verified(checked.seq, checked.signed, (*checked.findings, *_outside(tx, ring)))


def _before(tx: Transaction, head: Head) -> Start:
    """What stands before a head's own place, which is checked with what follows: so the chain has to go through it."""
    place = tx.row("chained_place", (head.seq,))
    return Start(head.seq - 1, GENESIS if place is None else place[1], head.version)


def _outside(tx: Transaction, ring: KeyRing) -> Iterator[Finding]:
    for entry_id, action in tx.rows("entries_never_queued", (_TOLD,)):
        detail = f"entry {entry_id} ({action}) is not in the chain and does not wait to be"
        yield Finding(Breach.NEVER_QUEUED, None, detail)
    ((late,),) = tx.rows("entries_waiting_long", {"patience": PATIENCE_S})
    if late:
        yield Finding(Breach.UNCHAINED, None, f"{late} entries wait to be chained for longer than a minute")
    for entry_id, seq in tx.rows("merge_logs_changed", (_TOLD,)):
        detail = f"entries of the merge log that audit entry {entry_id} names are not what they were then"
        yield Finding(Breach.MERGE_LOG, seq, detail)
    for (merge_log_id,) in tx.rows("merge_logs_untold", (_TOLD,)):
        yield Finding(Breach.MERGE_LOG, None, f"entry {merge_log_id} of the merge log is in no audit entry")
    yield from islice(_unproved(tx, ring), _TOLD)
    for (trigger,) in tx.rows("guards_off"):
        yield Finding(Breach.UNGUARDED, None, f"the trigger {trigger} is gone, or off")


def _unproved(tx: Transaction, ring: KeyRing) -> Iterator[Finding]:
    """Entries that tell of an erasure without a signed receipt of its own: what they name of the merge log is not held
    against it."""
    keys, proved = ring.receipt_keys(), set[UUID]()
    for entry_id, seq, at, profiles, document in tx.stream("erasures_told"):
        receipt = None if document is None else _receipt(document, keys)
        if (
            receipt is None
            or receipt.erasure_id in proved
            or (receipt.erased_at, {p.bytes for p in receipt.profiles}) != (at, {bytes(p) for p in profiles})
        ):
            detail = f"audit entry {entry_id} tells of an erasure that no receipt of its own proves"
            yield Finding(Breach.ERASURE, seq, detail)
        else:
            proved.add(receipt.erasure_id)


def _receipt(document: bytes, keys: Mapping[int, bytes]) -> Receipt | None:
    try:
        return signed_receipt(bytes(document), keys).receipt
    except BadInput:
        return None
