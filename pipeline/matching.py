"""From a batch's records to the locked neighbourhood they touch: candidates, comparisons, closure, locks.

Knows no database: it asks an `IdentityStore`. The order of locks is the global one: keys, profiles, records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from pipeline.errors import TransactionConflict
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.compare import Side, compare, side
from pipeline.identity.ids import Id
from pipeline.identity.model import Edge, IdentityRecord, MatchKey, MatchKeyKind, RecordActivity
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model, bits
from pipeline.identity.settle import Neighbourhood, ProfileRow, StoredRecord
from pipeline.ports import Evidence, IdentityStore, Known


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a batch says of one record: activity and products folded over its events. `record` only where it is new."""

    activity: RecordActivity
    products: frozenset[int]
    keys: tuple[MatchKey, ...] = ()
    record: IdentityRecord | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The neighbourhood, locked, and what finding it took.

    `edges` is new evidence to store; `overfull` the match keys skipped, by new record; `known` the stored records of
    the batch with their profiles as locked; `candidates` the pairs that blocking (or new purchases) brought together.
    """

    neighbourhood: Neighbourhood
    edges: tuple[Edge, ...]
    overfull: Mapping[Id, tuple[MatchKey, ...]]
    known: Mapping[Id, Known]
    compared: int
    candidates: Set[tuple[Id, Id]]


def gather(
    new: Mapping[Id, Arrival],
    known: Mapping[Id, Arrival],
    seen: Mapping[Id, Known],
    store: IdentityStore,
    model: Model,
    policy: Policy,
    also: frozenset[Id] = frozenset(),
) -> Found:
    """Find, compare and lock all that a decision on these records may rest on. `also` names profiles to decide afresh.

    The caller holds the key locks of `new`, and `seen` is what the store said of `known`. Raises TransactionConflict
    where the neighbourhood moved before the locks were had: run the transaction again.
    """
    pairs, overfull = _candidate_pairs(new, store, policy)
    grown = store.new_products({r: a.products for r, a in known.items() if a.products})
    pairs |= set(store.open_pairs(grown)) if grown else set()
    edges, bought = _compare(pairs, new, known, store, model, policy)
    scope = _lock(new, edges, seen, also, store, policy)
    if grown and not pairs.issuperset(store.open_pairs(grown)):
        raise TransactionConflict("evidence came for a record whose purchases grew")
    if bought and any(content.products != bought[r] for r, content in store.contents(bought).items()):
        raise TransactionConflict("purchases came for a record while it was compared")
    standing_known = store.known({r: a.activity for r, a in known.items()})
    if any(k.reorders and k.profile_id not in scope.loaded for k in standing_known.values()):
        raise TransactionConflict("a profile came to be contested before its lock was had")
    neighbourhood, refreshed = _load(scope, new, known, edges, also, store, model, policy)
    return Found(
        neighbourhood,
        (*edges.values(), *refreshed),
        overfull,
        standing_known,
        compared=len(pairs) + len(refreshed),
        candidates=pairs,
    )


def _candidate_pairs(
    new: Mapping[Id, Arrival], store: IdentityStore, policy: Policy
) -> tuple[set[tuple[Id, Id]], dict[Id, tuple[MatchKey, ...]]]:
    """Pairs of a new record and any other that share keys which still tell people apart, and enough of them."""
    local: defaultdict[int, list[Id]] = defaultdict(list)
    kinds: dict[int, MatchKeyKind] = {}
    for r, arrival in new.items():
        for kind, key in arrival.keys:
            local[key].append(r)
            kinds[key] = kind
    caps = {key: policy.block_caps[kind] for key, kind in kinds.items()}
    stored = store.holders(caps) if caps else {}
    held = {r: kinds_of(arrival.keys) for r, arrival in new.items()}
    shared: defaultdict[Id, dict[Id, int]] = defaultdict(dict)
    overfull: defaultdict[Id, list[MatchKey]] = defaultdict(list)
    for key, mine in local.items():
        others = stored.get(key, ())
        if not others and len(mine) == 1:
            continue
        if len(others) + len(mine) > caps[key]:
            for r in mine:
                overfull[r].append(MatchKey(kinds[key], key))
            continue
        held.update(others)
        bit = 1 << kinds[key]
        for i, r in enumerate(mine):
            found = shared[r]
            for o, _ in others:
                found[o] = found.get(o, 0) | bit
            for o in mine[i + 1 :]:
                found[o] = found.get(o, 0) | bit
    pairs = {
        (r, o) if r < o else (o, r)
        for r, found in shared.items()
        for o, bits_ in found.items()
        if worth_comparing(bits_, held[r] & held[o])
    }
    return pairs, {r: tuple(k) for r, k in overfull.items()}


def _compare(
    pairs: set[tuple[Id, Id]],
    new: Mapping[Id, Arrival],
    known: Mapping[Id, Arrival],
    store: IdentityStore,
    model: Model,
    policy: Policy,
) -> tuple[dict[tuple[Id, Id], Edge], dict[Id, frozenset[int]]]:
    """Evidence worth remembering: what more purchases in common could still lift to a review included.

    And what the stored records it rests on had bought then, for it may grow before they are locked.
    """
    stored = {r for pair in pairs for r in pair if r not in new}
    contents = store.contents(stored) if stored else {}
    before = {r: content.products for r, content in contents.items()}
    for r, arrival in new.items():
        assert arrival.record is not None
        contents[r] = arrival.record
    for r in stored & known.keys():
        if r in contents:
            contents[r] = with_products(contents[r], known[r].products)
    remembered = bits(policy.review) - max(level.weight for level in model.levels["purchases"].values())
    sides: dict[Id, Side] = {}
    edges: dict[tuple[Id, Id], Edge] = {}
    for low, high in pairs:
        if low not in contents or high not in contents:
            continue
        for r in (low, high):
            if r not in sides:
                sides[r] = side((contents[r],))
        comparison = compare(sides[low], sides[high], model, policy, remembered)
        if comparison.weight >= remembered:
            edges[low, high] = Edge(low, high, comparison)
    ends = {r for pair in edges for r in pair}
    return edges, {r: products for r, products in before.items() if r in ends}


def with_products(record: IdentityRecord, products: frozenset[int]) -> IdentityRecord:
    """The record with more purchases."""
    return record if products <= record.products else record.having_bought(record.products | products)


@dataclass(frozen=True, slots=True)
class _Scope:
    """The locked profiles. `inner`: to be clustered; `loaded`: those and the ones whose golden record may change."""

    inner: frozenset[Id]
    loaded: frozenset[Id]
    rows: Mapping[Id, ProfileRow]
    members: frozenset[Id]


def _lock(
    new: Mapping[Id, Arrival],
    edges: Mapping[tuple[Id, Id], Edge],
    seen: Mapping[Id, Known],
    also: frozenset[Id],
    store: IdentityStore,
    policy: Policy,
) -> _Scope:
    worth = [e for e in edges.values() if e.comparison.confidence >= policy.review]
    homes = {
        r: s.profile_id
        for r, s in store.standing({r for e in worth for r in (e.low, e.high)} - new.keys()).items()
    }
    seeds = set(also)
    edge_of: set[Id] = set()
    for edge in worth:
        ends = {homes[r] for r in (edge.low, edge.high) if r in homes}
        settles = edge.comparison.confidence >= policy.auto_merge or len(ends) == 2
        (seeds if settles else edge_of).update(ends)
    inner, fringe = (
        store.reach(seeds, policy.auto_merge, policy.review) if seeds else (frozenset(), frozenset())
    )
    reordered = frozenset(k.profile_id for k in seen.values() if k.reorders)
    rows = store.lock_profiles(inner | fringe | reordered | edge_of)
    members = store.members(inner | reordered) if inner or reordered else frozenset()
    store.lock_records(members | seen.keys() | {r for e in edges.values() for r in (e.low, e.high)})
    return _Scope(inner, inner | reordered, rows, members)


def _load(
    scope: _Scope,
    new: Mapping[Id, Arrival],
    known: Mapping[Id, Arrival],
    edges: Mapping[tuple[Id, Id], Edge],
    also: frozenset[Id],
    store: IdentityStore,
    model: Model,
    policy: Policy,
) -> tuple[Neighbourhood, list[Edge]]:
    """Read what was locked, and make sure that it still is all there is. And the evidence that grew meanwhile."""
    records: dict[Id, StoredRecord] = {}
    standing = store.standing(scope.members) if scope.members else {}
    for r, content in (store.contents(scope.members) if scope.members else {}).items():
        arrival = known.get(r)
        activity = (
            standing[r].activity if arrival is None else fold_activity(standing[r].activity, arrival.activity)
        )
        whole = content if arrival is None else with_products(content, arrival.products)
        records[r] = StoredRecord(whole, activity, standing[r].profile_id)
    for r, arrival in new.items():
        assert arrival.record is not None
        records[r] = StoredRecord(arrival.record, arrival.activity, None)
    inner_members = [r for r in scope.members if standing[r].profile_id in scope.inner]
    evidence = store.evidence(inner_members) if inner_members else []
    refreshed = [] if not evidence else _refreshed(evidence, edges, records, model, policy)
    known_edges, outside = _stored_edges(evidence, refreshed, scope, policy)
    ends = {r for e in edges.values() for r in (e.low, e.high)} - records.keys()
    outside |= {r: s.profile_id for r, s in (store.standing(ends) if ends else {}).items()}
    all_edges = {**known_edges, **edges}
    _unmoved(all_edges.values(), outside, records, scope, policy)
    dirty = set(new)
    # what was loaded for its golden record alone came without its evidence: it is not to be clustered
    dirty |= {r for e in edges.values() for r in (e.low, e.high)}.intersection(inner_members)
    dirty |= {r for r in inner_members if standing[r].profile_id in also}
    neighbourhood = Neighbourhood(
        profiles={p: row for p, row in scope.rows.items() if p in scope.loaded},
        records=records,
        edges=tuple(all_edges.values()),
        outside=outside,
        constraints=tuple(store.constraints(records)) if records else (),
        dirty=frozenset(dirty),
    )
    return neighbourhood, refreshed


def _refreshed(
    evidence: Iterable[Evidence],
    edges: Mapping[tuple[Id, Id], Edge],
    records: Mapping[Id, StoredRecord],
    model: Model,
    policy: Policy,
) -> list[Edge]:
    """Stored evidence that is not what it was, since both records bought the same after it was found.

    Between profiles evidence is kept up with every purchase (`open_pairs`); within one it may wait until it counts.
    """
    found = []
    for e in evidence:
        low, high = records.get(e.edge.low), records.get(e.edge.high)
        if low is None or high is None or (e.edge.low, e.edge.high) in edges:
            continue
        if low.record.products.isdisjoint(high.record.products):
            continue
        comparison = compare(side((low.record,)), side((high.record,)), model, policy)
        if comparison.weight != e.edge.comparison.weight:
            found.append(Edge(e.edge.low, e.edge.high, comparison))
    return found


def _stored_edges(
    evidence: Iterable[Evidence], refreshed: Iterable[Edge], scope: _Scope, policy: Policy
) -> tuple[dict[tuple[Id, Id], Edge], dict[Id, Id]]:
    """Evidence worth a look, by its ends, and the profiles of those ends that were not loaded."""
    grown = {(edge.low, edge.high): edge for edge in refreshed}
    found: dict[tuple[Id, Id], Edge] = {}
    outside: dict[Id, Id] = {}
    for e in evidence:
        edge = grown.get((e.edge.low, e.edge.high), e.edge)
        if edge.comparison.confidence < policy.review:
            continue
        found[edge.low, edge.high] = edge
        for r, home in ((e.edge.low, e.low_profile), (e.edge.high, e.high_profile)):
            if home not in scope.loaded:
                outside[r] = home
    return found, outside


def _unmoved(
    edges: Iterable[Edge],
    outside: Mapping[Id, Id],
    records: Mapping[Id, StoredRecord],
    scope: _Scope,
    policy: Policy,
) -> None:
    """Every profile that evidence leads to must be locked, and one that could be merged be there to be clustered."""
    for edge in edges:
        for r in (edge.low, edge.high):
            home = records[r].profile_id if r in records else outside.get(r)
            if home is None or edge.comparison.confidence < policy.review:
                continue
            mergeable = edge.comparison.confidence >= policy.auto_merge
            if home not in scope.rows or (mergeable and home not in scope.inner):
                raise TransactionConflict("the neighbourhood moved before its locks were had")


def fold_activity(one: RecordActivity, other: RecordActivity) -> RecordActivity:
    """Activity over the events of both; commutative, associative and idempotent."""
    return RecordActivity(
        first_seen=min(one.first_seen, other.first_seen),
        last_seen=max(one.last_seen, other.last_seen),
        sources=tuple(sorted({*one.sources, *other.sources})),
    )
