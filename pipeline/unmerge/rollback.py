"""Undo merges exactly: a cannot-link between what each joined, cluster afresh, and the sources get their old ids back.

Events and identifiers follow their records, also those that came after the merge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pipeline.errors import Conflict, NotFound, TransactionConflict
from pipeline.identity.ids import Id
from pipeline.identity.settle import Settlement
from pipeline.identity.undo import Undo, claims
from pipeline.matching import Found
from pipeline.ports import IdentityStore
from pipeline.steward import Act, Carried, Deciding, Stewardship, homes
from pipeline.store.database import Transaction
from pipeline.store.steward_actions import Deed, Entry
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import Move, UndoneMerge, Unmerged, moves_of, plan_of, weighed


def rollback_merge(stewardship: Stewardship, merge_log_id: Id, asked: Asked) -> Unmerged:
    """Undo one merge, however long ago, in one transaction.

    Raises NotFound (no such merge), Conflict (no merge, undone before, nothing to undo, or not what the plan says),
    BadInput (a blank reason), StoreUnavailable, TransactionConflict (the neighbourhood kept moving under several
    attempts).
    """
    found = rollback_merges(stewardship, [merge_log_id], asked)
    (merge,) = found.merges
    if merge.blocked is not None:
        raise Conflict(merge.blocked)
    return found


def rollback_merges(stewardship: Stewardship, merge_log_ids: Sequence[Id], asked: Asked) -> Unmerged:
    """Undo merges that hang together, as one decision: the order they were made in does not matter.

    A merge that cannot be undone blocks itself alone. Raises what `rollback_merge` raises, but for those.
    """
    undo = partial(_undo, ids=merge_log_ids, asked=asked)
    return asked.act(stewardship, undo)


def _undo(act: Act, ids: Sequence[Id], asked: Asked) -> Unmerged:
    merges, blocked = _to_undo(act.tx, ids)
    undos, found, settlement = undo_all(act, merges)
    blocked |= dict.fromkeys(
        (u.merge_log_id for u in merges if u not in undos),
        "the records of this merge no longer stand together: there is nothing to undo",
    )
    moves = moves_of(found, settlement)
    plan = plan_of((u.merge_log_id for u in undos), moves)
    asked.must_come_to(plan)
    carried = act.carry_out(found, settlement, split_kind="rolled_back", change="rolled_back")
    home = _home(act.store, undos)
    done = {u.merge_log_id: _undone(u, home, carried) for u in undos}
    if undos:
        act.tx.run("mark_rolled_back", (asked.now, [*done], [d.rollback_log_id for d in done.values()]))
        act.note(_entry_of(undos, carried, moves))
    told = tuple(done.get(i) or UndoneMerge(i, blocked=blocked[i]) for i in dict.fromkeys(ids))
    return Unmerged.of(told, weighed(act.tx, moves), carried.reviews, plan, asked.rehearse)


def _entry_of(undos: Sequence[Undo], carried: Carried, moves: Sequence[Move]) -> Entry:
    profiles = {p for u in undos for p in (u.source, u.target)} | {
        p for m in moves for p in (m.source, m.target)
    }
    logged = {e.merge_log_id for e in carried.logged}
    return Entry(Deed.ROLLBACK, profiles, logged | {u.merge_log_id for u in undos})


def _to_undo(tx: Transaction, ids: Sequence[Id]) -> tuple[list[Undo], dict[Id, str]]:
    """The merges as they were, and why some of these are none to undo. Raises NotFound."""
    undos: list[Undo] = []
    blocked: dict[Id, str] = {}
    rows = tx.rows("merges_to_undo", (list(ids),))
    if unknown := set(ids) - {row[0] for row in rows}:
        raise NotFound(f"no merge log entry {min(unknown)}")
    for merge, kind, source, target, left, right, siblings, rolled_back in rows:
        if kind != "merged":
            blocked[merge] = f"{merge} is a {kind} entry: only merges are rolled back"
        elif rolled_back:
            blocked[merge] = f"{merge} was rolled back before"
        else:
            sides = (frozenset(map(Id.parse, records or ())) for records in (left, right, siblings))
            undos.append(Undo(merge, source, target, *sides))
    return undos, blocked


def undo_all(act: Deciding, asked: Sequence[Undo]) -> tuple[list[Undo], Found, Settlement]:
    """Decide them afresh, if records of any still stand together: one that came apart by itself is undone with the
    others, or parting those could bring it back. Raises TransactionConflict."""
    home = _home(act.store, asked)
    undos = [u for u in asked if u.is_of(home)] if any(u.stands(home) for u in asked) else []
    for undo in undos:
        act.constrain(undo.constraint)
    profiles = {p for u in undos for p in (u.source, u.target)}
    found = act.gather(frozenset(profiles | {home[r] for u in undos for r in u.records if r in home}))
    if _home(act.store, asked) != home:
        raise TransactionConflict("a record of the merge moved before its profile was locked")
    return undos, found, act.settle(found, claims=claims(undos))


def _home(store: IdentityStore, undos: Sequence[Undo]) -> dict[Id, Id]:
    """The profile of each record of these merges."""
    return homes(store, frozenset().union(*(u.records for u in undos)))


def _undone(undo: Undo, home: Mapping[Id, Id], carried: Carried) -> UndoneMerge:
    """What became of it."""
    restored = undo.source if undo.source in {home.get(r) for r in undo.left} else _of(undo.left, home)
    kept = undo.target if undo.target in {home.get(r) for r in undo.right} else _of(undo.right, home)
    return UndoneMerge(undo.merge_log_id, restored, kept, _entry(undo, carried))


def _entry(undo: Undo, carried: Carried) -> Id | None:
    """The entry that moved part of its records; if they had come apart before, one about its profiles, or none."""
    both = {undo.source, undo.target}
    moved = [e for e in carried.logged if not undo.records.isdisjoint(e.records)]
    entries = moved or [e for e in carried.logged if not both.isdisjoint((e.source, e.target))]
    found = next((e for e in entries if e.target == undo.source), entries[0] if entries else None)
    return found.merge_log_id if found else None


def _of(records: frozenset[Id], home: Mapping[Id, Id]) -> Id | None:
    return next((home[r] for r in sorted(records) if r in home), None)
