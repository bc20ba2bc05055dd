"""Undo a merge exactly: a cannot-link between the two record sets, cluster afresh, and the source gets its old id back.

Events and identifiers follow their records, also those that came after the merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.announce import Announcer, versions_of
from pipeline.errors import Conflict, NotFound, TransactionConflict
from pipeline.identity.ids import Id
from pipeline.identity.model import ConstraintKind
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.settle import settle
from pipeline.ids import new_id
from pipeline.matching import gather
from pipeline.privacy.keyring import KeyRing
from pipeline.store.configurations import register
from pipeline.store.database import Database, Transaction
from pipeline.store.identity_store import PostgresIdentityStore, RecordCache
from pipeline.store.identity_writer import Author, IdentityWriter
from pipeline.store.review_writer import ReviewWriter
from schemas.codec import Codec

_ATTEMPTS = 5
_CACHED_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """What a rollback did. `restored` holds again `records`; `kept` is the profile they left."""

    merge_log_id: Id
    rollback_log_id: Id
    restored: Id
    kept: Id
    records: tuple[Id, ...]


def rollback_merge(
    database: Database,
    ring: KeyRing,
    codec: Codec,
    model: Model,
    policy: Policy,
    merge_log_id: Id,
    actor: str,
    reason: str,
    now: datetime,
) -> RollbackResult:
    """Undo one merge, however long ago, in one transaction.

    Raises NotFound (no such merge), Conflict (no merge, or undone before), StoreUnavailable, TransactionConflict (the
    neighbourhood kept moving under several attempts).
    """
    author = Author(actor, reason, model.version, policy.version, now, new_id)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with database.transaction() as tx:
                return _undo(tx, ring, codec, model, policy, merge_log_id, author)
        except TransactionConflict:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _undo(
    tx: Transaction,
    ring: KeyRing,
    codec: Codec,
    model: Model,
    policy: Policy,
    merge_log_id: Id,
    author: Author,
) -> RollbackResult:
    source, source_records, target_records = _merge_to_undo(tx, merge_log_id)
    register(tx, model, policy, author.now)
    store = PostgresIdentityStore(tx, RecordCache(ring, _CACHED_RECORDS))
    tx.run(
        "insert_constraint",
        (
            author.new_id(),
            ConstraintKind.CANNOT_LINK,
            sorted(source_records),
            sorted(target_records),
            author.actor,
            author.reason,
            author.now,
        ),
    )
    homes = {s.profile_id for s in store.standing(source_records | target_records).values()}
    found = gather({}, {}, {}, store, model, policy, also=frozenset(homes | {source}))
    if {s.profile_id for s in store.standing(source_records | target_records).values()} != homes:
        raise TransactionConflict("a record of the merge moved before its profile was locked")
    settlement = settle(
        found.neighbourhood, model, policy, author.new_id, author.now, revive={source: source_records}
    )
    writer = IdentityWriter(tx, ring, author)
    logged = writer.merge_log(settlement.decisions, found.neighbourhood, settlement, split_kind="rolled_back")
    writer.profiles(settlement)
    writer.moves(settlement, ())
    reviews = ReviewWriter(tx, author).write(settlement)
    entry = next((e for e in logged if e.kind == "rolled_back" and e.target == source), None)
    if entry is None:
        raise Conflict("the records of this merge no longer stand together: there is nothing to undo")
    tx.run("mark_rolled_back", (author.now, entry.merge_log_id, merge_log_id))
    versions = versions_of(tx, [*settlement.profiles, *(p for c in reviews for p in (c.low, c.high))])
    announcer = Announcer(tx, codec, author)
    announcer.profiles(settlement.profiles, change="rolled_back")
    announcer.merges(logged, versions)
    announcer.reviews(reviews, versions)
    return RollbackResult(
        merge_log_id, entry.merge_log_id, source, entry.source, tuple(sorted(entry.records))
    )


def _merge_to_undo(tx: Transaction, merge_log_id: Id) -> tuple[Id, frozenset[Id], frozenset[Id]]:
    row = tx.row("merge_to_undo", (merge_log_id,))
    if row is None:
        raise NotFound(f"no merge log entry {merge_log_id}")
    kind, source, _target, source_snapshot, target_snapshot, rolled_back, _ = row
    if kind != "merged":
        raise Conflict(f"{merge_log_id} is a {kind} entry: only merges are rolled back")
    if rolled_back:
        raise Conflict(f"{merge_log_id} was rolled back before")
    sets = tuple(frozenset(Id.parse(r) for r in s["records"]) for s in (source_snapshot, target_snapshot))
    return source, sets[0], sets[1]
