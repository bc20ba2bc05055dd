"""How far a decision reaches: the profiles that hang together with what was found, locked in the global order."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pipeline.identity.ids import Id
from pipeline.identity.model import Edge
from pipeline.identity.policy import Policy
from pipeline.identity.settle import ProfileRow
from pipeline.judging import Judged
from pipeline.meet import Pair
from pipeline.ports import IdentityStore, Known


@dataclass(frozen=True, slots=True)
class Scope:
    """The locked profiles. `inner`: to be clustered; `loaded`: those and the ones whose golden record may change;
    `apart`: those whose neighbourhood is too large to be looked at."""

    inner: frozenset[Id]
    loaded: frozenset[Id]
    rows: Mapping[Id, ProfileRow]
    members: frozenset[Id]
    apart: frozenset[Id] = frozenset()


def lock(
    new: AbstractSet[Id],
    edges: Mapping[Pair, Edge],
    seen: Mapping[Id, Known],
    judged: Judged,
    also: frozenset[Id],
    store: IdentityStore,
    policy: Policy,
) -> Scope:
    """Lock what deciding on this evidence may touch. `new` are the records that are not stored yet, `seen` what the
    store said of the others, `also` profiles to be decided in any case."""
    worth = [e for e in edges.values() if e.comparison.confidence >= policy.review]
    homes = {
        r: s.profile_id for r, s in store.standing({r for e in worth for r in (e.low, e.high)} - new).items()
    }
    seeds = also | judged.profiles
    edge_of: set[Id] = set()
    for edge in worth:
        ends = {homes[r] for r in (edge.low, edge.high) if r in homes}
        settles = edge.comparison.confidence >= policy.auto_merge or len(ends) == 2
        if settles:
            seeds |= ends
        else:
            edge_of |= ends
    inner, fringe = _reached(seeds, store, policy)
    reordered = frozenset(k.profile_id for k in seen.values() if k.reorders)
    rows = store.lock_profiles(inner | fringe | reordered | edge_of)
    members = store.members(inner | reordered) if inner or reordered else frozenset()
    apart: frozenset[Id] = frozenset()
    if len(members) > policy.load_limit:
        apart = frozenset(p for p in seeds - also if _is_too_large(p, store, policy))
        inner, _ = _reached(seeds - apart, store, policy)
        members = store.members(inner | reordered)
    store.lock_records(members | seen.keys() | {r for pair in edges for r in pair} | judged.records)
    return Scope(inner, inner | reordered, rows, members, apart)


def _reached(
    seeds: frozenset[Id], store: IdentityStore, policy: Policy
) -> tuple[frozenset[Id], frozenset[Id]]:
    if not seeds:
        return frozenset(), frozenset()
    return store.reach(seeds, policy.auto_merge, policy.review, len(seeds) * policy.load_limit)


def _is_too_large(seed: Id, store: IdentityStore, policy: Policy) -> bool:
    """Whether more records hang together with a profile than a decision may look at. Those that do see each other."""
    reached, _ = store.reach({seed}, policy.auto_merge, policy.review, policy.load_limit)
    return len(reached) > policy.load_limit or len(store.members(reached)) > policy.load_limit
