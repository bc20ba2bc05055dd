"""Everything from scratch, in memory: what the stream must arrive at, whatever the order of arrival."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations

from pipeline.codes import ReasonCode
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.cluster import cluster
from pipeline.identity.compare import compare, side
from pipeline.identity.graph import connected
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, Edge, IdentityRecord, MatchKey, Partition
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model

KeyedRecords = Mapping[Id, tuple[IdentityRecord, tuple[MatchKey, ...]]]


def resolve_all(
    records: KeyedRecords, constraints: Sequence[Constraint], model: Model, policy: Policy
) -> Partition:
    """Candidates by match keys under the policy's caps, compared, and clustered component by component."""
    found = evidence(candidate_pairs(records, policy), records, model, policy)
    return partition(records, [edge for edge in found if edge is not None], constraints, model, policy)


def partition(
    records: KeyedRecords,
    edges: Sequence[Edge],
    constraints: Sequence[Constraint],
    model: Model,
    policy: Policy,
) -> Partition:
    """What `cluster` says of all records at once, worked out one connected component at a time."""
    clusters: list[frozenset[Id]] = []
    refused: list[tuple[Edge, ReasonCode]] = []
    joined: list[Edge] = []
    for members, own_edges, own_constraints in components(records, edges, constraints):
        part = cluster({r: records[r][0] for r in members}, own_edges, own_constraints, model, policy)
        clusters.extend(part.clusters)
        refused.extend(part.refused)
        joined.extend(part.joined)
    joined.sort(key=_order)
    refused.sort(key=lambda r: _order(r[0]))
    return Partition(tuple(sorted(clusters, key=min)), tuple(refused), tuple(joined))


def _order(edge: Edge) -> tuple[float, Id, Id]:
    return -edge.comparison.weight, edge.low, edge.high


def overfull_keys(records: KeyedRecords, policy: Policy) -> frozenset[MatchKey]:
    """The match keys that more records share than their kind's cap: they are skipped."""
    counts = Counter(key for _, keys in records.values() for key in keys)
    return frozenset(key for key, count in counts.items() if count > policy.block_cap(key.kind))


def candidate_pairs(records: KeyedRecords, policy: Policy) -> frozenset[tuple[Id, Id]]:
    """Every pair (low, high) of records that share match keys which are not over-full, and enough of them."""
    blocks: dict[MatchKey, list[Id]] = defaultdict(list)
    for record_id in sorted(records):
        for key in records[record_id][1]:
            blocks[key].append(record_id)
    shared: defaultdict[tuple[Id, Id], int] = defaultdict(int)
    for key, members in blocks.items():
        if 1 < len(members) <= policy.block_cap(key.kind):
            for pair in combinations(members, 2):
                shared[pair] |= 1 << key.kind
    held = {record_id: kinds_of(keys) for record_id, (_, keys) in records.items()}
    return frozenset(
        (low, high) for (low, high), kinds in shared.items() if worth_comparing(kinds, held[low] & held[high])
    )


def evidence(
    pairs: frozenset[tuple[Id, Id]], records: KeyedRecords, model: Model, policy: Policy
) -> Iterator[Edge | None]:
    """For each pair, in the order of ids, its edge where it is of at least `policy.review`."""
    sides = {record_id: side((record,)) for record_id, (record, _) in records.items()}
    for low, high in sorted(pairs):
        found = compare(sides[low], sides[high], model, policy)
        yield Edge(low, high, found) if found.confidence >= policy.review else None


def components(
    records: Iterable[Id], edges: Sequence[Edge], constraints: Sequence[Constraint]
) -> list[tuple[frozenset[Id], list[Edge], list[Constraint]]]:
    """The connected components of edges and must-links, each with the edges and constraints that touch it."""
    musts = (sorted(c.left | c.right) for c in constraints if c.kind is ConstraintKind.MUST_LINK)
    groups = connected(sorted(records), chain(((e.low, e.high) for e in edges), musts))
    at = {record: number for number, members in enumerate(groups) for record in members}
    own_edges: list[list[Edge]] = [[] for _ in groups]
    own_constraints: list[list[Constraint]] = [[] for _ in groups]
    for edge in edges:
        own_edges[at[edge.low]].append(edge)
    for constraint in constraints:
        for number in sorted({at[r] for r in constraint.left | constraint.right if r in at}):
            own_constraints[number].append(constraint)
    return list(zip(groups, own_edges, own_constraints, strict=True))
