"""Undo many merges: all that one policy made, or all since a bad deploy. First rehearsed, then done as rehearsed.

Merges whose records stand in the same profiles by now are undone together, each such group in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TypeVar

from pipeline.codes import AUTOMATIC
from pipeline.errors import Conflict, TransactionConflict
from pipeline.identity.graph import connected
from pipeline.identity.ids import Id
from pipeline.steward import Stewardship
from pipeline.store.database import Database
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import UndoneMerge, Unmerged, name_of
from pipeline.unmerge.rollback import rollback_merges


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which merges: decided from `since` on and before `until`, by these versions, by this actor.

    Without an actor the pipeline's own: what stewards approved stands unless they are named.
    """

    since: datetime | None = None
    until: datetime | None = None
    policy_version: str | None = None
    model_version: str | None = None
    actor: str | None = None


_T = TypeVar("_T")
Group = tuple[Id, ...]
Told = Callable[[int, int], None]
"""Told after each group: how many are done, and of how many."""


def groups(database: Database, chosen: Chosen) -> list[Group]:
    """The merges that stand and were chosen, in groups that hang together. Raises StoreUnavailable."""
    with database.transaction() as tx:
        homes: dict[Id, list[Id]] = dict(tx.rows("merges_chosen", {**asdict(chosen), "automatic": AUTOMATIC}))
    by_profile: dict[Id, list[Id]] = {}
    for merge, profiles in homes.items():
        for profile in profiles:
            by_profile.setdefault(profile, []).append(merge)
    return [tuple(sorted(group)) for group in connected(homes, by_profile.values())]


def rollback_many(
    stewardship: Stewardship, chosen: Chosen, asked: Asked, told: Told = lambda done, of: None
) -> list[Unmerged]:
    """Undo them as rehearsed, group by group; what is done stays done should a later group fail.

    They are rehearsed first: nothing is done where that is not what the plan says. A group that has come to mean
    something else meanwhile, or kept moving, is left alone and blocked. Raises Conflict (another plan), and what
    `rollback_merges` raises.
    """
    rounds = 1 if asked.rehearse else 2
    one_of_many = replace(asked.occasion, in_bulk=True)

    def rehearse(group: Group) -> Unmerged:
        return rollback_merges(stewardship, group, replace(asked, rehearse=True, plan=None))

    def undo(one: Unmerged) -> Unmerged:
        ids = [m.merge_log_id for m in one.merges]
        try:
            return rollback_merges(stewardship, ids, replace(asked, plan=one.plan, occasion=one_of_many))
        except (Conflict, TransactionConflict) as exc:
            blocked = tuple(UndoneMerge(i, blocked=str(exc)) for i in ids)
            return replace(one, merges=blocked, moves=(), asked=0, retired=0, rehearsed=False)

    found = groups(stewardship.database, chosen)
    rehearsed = _each(found, lambda done, of: told(done, rounds * of), rehearse)
    if asked.rehearse:
        return rehearsed
    asked.must_come_to(plan_of_all(rehearsed))
    return _each(rehearsed, lambda done, of: told(of + done, rounds * of), undo)


def plan_of_all(rehearsed: Iterable[Unmerged]) -> str:
    """A name for the plans of all groups."""
    return name_of(one.plan for one in rehearsed)


def _each(things: Sequence[_T], told: Told, do: Callable[[_T], Unmerged]) -> list[Unmerged]:
    found = []
    for thing in things:
        found.append(do(thing))
        told(len(found), len(things))
    return found
