"""Undo a merge exactly: a cannot-link between the two record sets, cluster afresh, and the source gets its old id back.

Events and identifiers follow their records, also those that came after the merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pipeline.errors import Conflict, NotFound, TransactionConflict
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.steward import Act, Stewardship
from pipeline.store.database import Transaction


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """What a rollback did. `restored` holds again `records`; `kept` is the profile they left."""

    merge_log_id: Id
    rollback_log_id: Id
    restored: Id
    kept: Id
    records: tuple[Id, ...]


def rollback_merge(
    stewardship: Stewardship, merge_log_id: Id, actor: str, reason: str, now: datetime
) -> RollbackResult:
    """Undo one merge, however long ago, in one transaction.

    Raises NotFound (no such merge), Conflict (no merge, or undone before), BadInput (a blank reason), StoreUnavailable,
    TransactionConflict (the neighbourhood kept moving under several attempts).
    """
    return stewardship.act(partial(_undo, merge_log_id=merge_log_id, now=now), actor, reason, now)


def _undo(act: Act, merge_log_id: Id, now: datetime) -> RollbackResult:
    source, source_records, target_records = _merge_to_undo(act.tx, merge_log_id)
    act.constrain(Constraint(ConstraintKind.CANNOT_LINK, source_records, target_records))
    homes = {s.profile_id for s in act.store.standing(source_records | target_records).values()}
    found = act.gather(frozenset(homes | {source}))
    if {s.profile_id for s in act.store.standing(source_records | target_records).values()} != homes:
        raise TransactionConflict("a record of the merge moved before its profile was locked")
    settlement = act.settle(found, revive={source: source_records})
    logged = act.carry_out(found, settlement, split_kind="rolled_back", change="rolled_back")
    entry = next((e for e in logged if e.kind == "rolled_back" and e.target == source), None)
    if entry is None:
        raise Conflict("the records of this merge no longer stand together: there is nothing to undo")
    act.tx.run("mark_rolled_back", (now, entry.merge_log_id, merge_log_id))
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
