"""From a batch's records to the locked neighbourhood they touch: candidates, comparisons, closure, locks.

Knows no database: it asks an `IdentityStore`. The order of locks is the global one: keys, profiles, records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from types import MappingProxyType

from pipeline.blocks import WornKey, blocks_of
from pipeline.errors import TransactionConflict
from pipeline.identity.compare import Side, compare, side
from pipeline.identity.consent import Statement, newest
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, Edge, Identifier, IdentityRecord, MatchKey, RecordActivity
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model, bits
from pipeline.identity.settle import Neighbourhood, StoredRecord
from pipeline.identity.sharing import shared_of
from pipeline.judging import Judged, judge
from pipeline.meet import Pair
from pipeline.meet_again import unsettled_by
from pipeline.ports import Evidence, IdentityStore, Known
from pipeline.scope import Scope, lock

NOBODY_GONE: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a batch says of one record: activity, products and consent over its events. `record` only if it is new."""

    activity: RecordActivity
    products: frozenset[int]
    keys: tuple[MatchKey, ...] = ()
    record: IdentityRecord | None = None
    consent: frozenset[Statement] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """The neighbourhood, locked, and what finding it took.

    `edges` is new evidence to store, `via` the keys its candidates among it were found by, `dropped` the pairs whose
    evidence holds no longer; `crossed` the match keys that crossed a limit, `shared` records with the keys of their
    shared identifiers, both to be remembered; `overfull` the match keys skipped, by new record; `known` the stored
    records of the batch with their profiles as locked; `candidates` the pairs that blocking (or new purchases) brought
    together.
    """

    neighbourhood: Neighbourhood
    edges: tuple[Edge, ...]
    via: Mapping[Pair, tuple[MatchKey, ...]]
    dropped: frozenset[Pair]
    crossed: tuple[WornKey, ...]
    shared: tuple[tuple[Id, int], ...]
    overfull: Mapping[Id, tuple[MatchKey, ...]]
    known: Mapping[Id, Known]
    compared: int
    candidates: Set[Pair]


def known_behind_locks(
    seen: Mapping[Id, RecordActivity],
    keys_of: Callable[[Collection[Id]], Iterable[int]],
    store: IdentityStore,
) -> dict[Id, Known]:
    """Those of the records that are stored; the keys of the others are locked, to be handed to `gather`.

    What is not stored is looked up again behind the locks: another worker may have been first.
    """
    known = store.known(seen)
    new = {r: activity for r, activity in seen.items() if r not in known}
    # the record's own number is locked too, so that a record without keys is stored once
    store.lock_keys({*keys_of(new), *(int.from_bytes(r) for r in new)})
    return known | store.known(new)


def gather(
    new: Mapping[Id, Arrival],
    known: Mapping[Id, Arrival],
    seen: Mapping[Id, Known],
    store: IdentityStore,
    model: Model,
    policy: Policy,
    also: frozenset[Id] = frozenset(),
    put: Sequence[Constraint] = (),
    freed: Mapping[int, int] = NOBODY_GONE,
) -> Found:
    """Find, compare and lock all that a decision on these records may rest on. `also` names profiles to decide afresh,
    `put` are constraints of this very transaction, `freed` how many holders the match keys of
    identifiers lost in it.

    The caller holds the key locks of `new` and no lock of a profile or record yet; `seen` is what the store said of
    `known`. Raises TransactionConflict where the neighbourhood moved before the locks were had: run it again.
    """
    keyed = {r: (a.record, a.keys) for r, a in new.items() if a.record is not None}
    blocks = blocks_of(keyed, store, policy)
    if blocks.lost:
        new = {r: replace(new[r], record=_marked(record, blocks.lost)) for r, (record, _) in keyed.items()}
    blocks.unsettled += unsettled_by(put, freed, store, policy)
    questioned = bool(blocks.crossed or blocks.parted or blocks.unsettled)
    judged = judge(blocks, store, policy) if questioned else Judged()
    grown = store.new_products({r: a.products for r, a in known.items() if a.products})
    again = judged.rescored | judged.met
    pairs = {*blocks.pairs, *again, *(store.open_pairs(grown) if grown else ())} - judged.dropped
    edges, compared, faded = _compare(pairs, new, known, blocks.lost, store, model, policy)
    dropped = judged.dropped | (faded & judged.rescored)
    scope = lock(new.keys(), edges, _heard(seen, known), judged, also, store, policy)
    if grown and not (pairs | dropped).issuperset(store.open_pairs(grown)):
        raise TransactionConflict("evidence came for a record whose purchases grew")
    if questioned and judge(blocks, store, policy) != judged:
        raise TransactionConflict("what rests on a key that is judged again moved before its locks were had")
    if compared and store.contents(compared) != compared:
        raise TransactionConflict(
            "a record bought more, or came to share an identifier, while it was compared"
        )
    standing_known = store.known({r: a.activity for r, a in known.items()})
    if any(k.reorders and k.profile_id not in scope.loaded for k in _heard(standing_known, known).values()):
        raise TransactionConflict("a profile came to be contested, or another's, before its lock was had")
    context = _Context(new, known, edges, dropped, judged, blocks.lost, also)
    neighbourhood, refreshed = _load(scope, context, store, model, policy)
    via = {**blocks.pairs, **judged.via}
    return Found(
        neighbourhood,
        (*edges.values(), *refreshed),
        {pair: via[pair] for pair in edges if pair in via},
        dropped,
        tuple(blocks.crossed),
        tuple(blocks.shared),
        {r: tuple(keys) for r, keys in blocks.overfull.items()},
        standing_known,
        compared=len(pairs) + len(refreshed),
        candidates=pairs,
    )


def _heard(seen: Mapping[Id, Known], arrivals: Mapping[Id, Arrival]) -> Mapping[Id, Known]:
    """Whoever grants or withdraws something may be another profile by it, as who is seen in another order."""
    said = [r for r, a in arrivals.items() if a.consent and r in seen]
    return {**seen, **{r: replace(seen[r], reorders=True) for r in said}} if said else seen


def _marked(record: IdentityRecord, lost: Mapping[Identifier, float]) -> IdentityRecord:
    """The record with what its identifiers have lost by now."""
    now = shared_of(record.identifiers, {**dict(record.shared), **lost}) if lost else record.shared
    return record.sharing(now)


def _compare(
    pairs: Set[Pair],
    new: Mapping[Id, Arrival],
    known: Mapping[Id, Arrival],
    lost: Mapping[Identifier, float],
    store: IdentityStore,
    model: Model,
    policy: Policy,
) -> tuple[dict[Pair, Edge], dict[Id, IdentityRecord], set[Pair]]:
    """Evidence worth remembering: what more purchases in common could still lift to a review included.

    And the stored records it rests on as they were then, for they may buy more, or share more with others, before they
    are locked; and the pairs of which nothing is worth remembering.
    """
    stored = {r for pair in pairs for r in pair if r not in new}
    before = store.contents(stored) if stored else {}
    contents = {r: _marked(content, lost) for r, content in before.items()} if lost else dict(before)
    for r, arrival in new.items():
        assert arrival.record is not None
        contents[r] = arrival.record
    for r in stored & known.keys():
        if r in contents:
            contents[r] = with_products(contents[r], known[r].products)
    remembered = bits(policy.review) - max(level.weight for level in model.levels["purchases"].values())
    sides: dict[Id, Side] = {}
    edges: dict[Pair, Edge] = {}
    faded: set[Pair] = set()
    for low, high in pairs:
        if low not in contents or high not in contents:
            continue
        for r in (low, high):
            if r not in sides:
                sides[r] = side((contents[r],))
        comparison = compare(sides[low], sides[high], model, policy, remembered)
        if comparison.weight >= remembered:
            edges[low, high] = Edge(low, high, comparison)
        else:
            faded.add((low, high))
    ends = {r for pair in edges for r in pair}
    return edges, {r: content for r, content in before.items() if r in ends}, faded


def with_products(record: IdentityRecord, products: frozenset[int]) -> IdentityRecord:
    """The record with more purchases."""
    return record if products <= record.products else record.having_bought(record.products | products)


@dataclass(frozen=True, slots=True)
class _Context:
    """What is known before anything is loaded."""

    new: Mapping[Id, Arrival]
    known: Mapping[Id, Arrival]
    edges: Mapping[Pair, Edge]
    dropped: frozenset[Pair]
    judged: Judged
    lost: Mapping[Identifier, float]
    also: frozenset[Id]


def _load(
    scope: Scope, context: _Context, store: IdentityStore, model: Model, policy: Policy
) -> tuple[Neighbourhood, list[Edge]]:
    """Read what was locked, and make sure that it still is all there is. And the evidence that grew meanwhile."""
    new, known, edges, judged = context.new, context.known, context.edges, context.judged
    records: dict[Id, StoredRecord] = {}
    standing = store.standing(scope.members) if scope.members else {}
    for r, content in (store.contents(scope.members) if scope.members else {}).items():
        arrival = known.get(r)
        activity = (
            standing[r].activity if arrival is None else fold_activity(standing[r].activity, arrival.activity)
        )
        whole = content if arrival is None else with_products(content, arrival.products)
        records[r] = StoredRecord(_marked(whole, context.lost), activity, standing[r].profile_id)
    for r, arrival in new.items():
        assert arrival.record is not None
        records[r] = StoredRecord(arrival.record, arrival.activity, None)
    inner_members = [r for r in scope.members if standing[r].profile_id in scope.inner]
    evidence = store.evidence(inner_members) if inner_members else []
    if context.dropped:
        evidence = [e for e in evidence if (e.edge.low, e.edge.high) not in context.dropped]
    refreshed = [] if not evidence else _refreshed(evidence, edges, records, model, policy)
    known_edges, outside = _stored_edges(evidence, refreshed, scope, policy)
    ends = {r for e in edges.values() for r in (e.low, e.high)} - records.keys()
    outside |= {r: s.profile_id for r, s in (store.standing(ends) if ends else {}).items()}
    all_edges = {**known_edges, **edges}
    _unmoved(all_edges.values(), outside, records, scope, policy)
    dirty = set(new)
    # what was loaded for its golden record alone came without its evidence: it is not to be clustered
    dirty |= {r for e in edges.values() for r in (e.low, e.high)}.intersection(inner_members)
    afresh = context.also | judged.profiles
    dirty |= {r for r in inner_members if r in records and standing[r].profile_id in afresh}
    constraints = tuple(store.constraints(records)) if records else ()
    # who was told apart from these may stand in a profile of which no more is known than that evidence leads there
    told = {r for c in constraints for r in c.left | c.right} - records.keys() - outside.keys()
    outside |= {r: s.profile_id for r, s in (store.standing(told) if told and outside else {}).items()}
    neighbourhood = Neighbourhood(
        profiles={p: row for p, row in scope.rows.items() if p in scope.loaded},
        records=records,
        edges=tuple(all_edges.values()),
        outside=outside,
        constraints=constraints,
        dirty=frozenset(dirty),
        doubts=judged.reasons,
        restated=_restated(known, records, store),
    )
    return neighbourhood, refreshed


def _restated(
    known: Mapping[Id, Arrival], records: Mapping[Id, StoredRecord], store: IdentityStore
) -> frozenset[Id]:
    """The profiles of which something else holds by what was said by way of stored records."""
    homes = {r: records[r].profile_id for r, a in known.items() if a.consent and r in records}
    if not homes:
        return frozenset()
    theirs = {r: s.profile_id for r, s in records.items() if s.profile_id in homes.values()}
    before: defaultdict[Id | None, set[Statement]] = defaultdict(set)
    for r, said in store.consent(theirs).items():
        before[theirs[r]] |= said
    now = {p: set(before[p]) for p in homes.values()}
    for r, profile in homes.items():
        now[profile] |= known[r].consent
    return frozenset(p for p, said in now.items() if p is not None and newest(said) != newest(before[p]))


def _refreshed(
    evidence: Iterable[Evidence],
    edges: Mapping[Pair, Edge],
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
    evidence: Iterable[Evidence], refreshed: Iterable[Edge], scope: Scope, policy: Policy
) -> tuple[dict[Pair, Edge], dict[Id, Id]]:
    """Evidence worth a look, by its ends, and the profiles of those ends that were not loaded."""
    grown = {(edge.low, edge.high): edge for edge in refreshed}
    found: dict[Pair, Edge] = {}
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
    scope: Scope,
    policy: Policy,
) -> None:
    """Every profile that evidence leads to must be locked, and one that could be merged be there to be clustered."""
    for edge in edges:
        for r in (edge.low, edge.high):
            home = records[r].profile_id if r in records else outside.get(r)
            if home is None or edge.comparison.confidence < policy.review:
                continue
            mergeable = edge.comparison.confidence >= policy.auto_merge
            if home not in scope.rows or (mergeable and home not in scope.inner | scope.apart):
                raise TransactionConflict("the neighbourhood moved before its locks were had")


def fold_activity(one: RecordActivity, other: RecordActivity) -> RecordActivity:
    """Activity over the events of both; commutative, associative and idempotent."""
    return RecordActivity(
        first_seen=min(one.first_seen, other.first_seen),
        last_seen=max(one.last_seen, other.last_seen),
        sources=tuple(sorted({*one.sources, *other.sources})),
    )
