"""Everything from scratch, in memory: what the stream must arrive at, whatever the order of arrival."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from pipeline.codes import ReasonCode
from pipeline.identity.cluster import cluster
from pipeline.identity.compare import compare, side
from pipeline.identity.model import Constraint, ConstraintKind, Edge, IdentityRecord, MatchKey, Partition
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model

KeyedRecords = Mapping[UUID, tuple[IdentityRecord, tuple[MatchKey, ...]]]


def resolve_all(
    records: KeyedRecords, constraints: Sequence[Constraint], model: Model, policy: Policy
) -> Partition:
    """Candidates by match keys under the policy's caps, compared, and clustered component by component."""
    edges = list(evidence(candidate_pairs(records, policy), records, model, policy))
    clusters: list[frozenset[UUID]] = []
    refused: list[tuple[Edge, ReasonCode]] = []
    joined: list[Edge] = []
    plain = {record_id: record for record_id, (record, _) in records.items()}
    for members, own_edges, own_constraints in components(plain, edges, constraints):
        part = cluster({r: plain[r] for r in members}, own_edges, own_constraints, model, policy)
        clusters.extend(part.clusters)
        refused.extend(part.refused)
        joined.extend(part.joined)
    joined.sort(key=lambda e: (-e.comparison.weight, e.low, e.high))
    refused.sort(key=lambda r: (-r[0].comparison.weight, r[0].low, r[0].high))
    return Partition(tuple(sorted(clusters, key=min)), tuple(refused), tuple(joined))


def overfull_keys(records: KeyedRecords, policy: Policy) -> frozenset[MatchKey]:
    """The match keys that more records share than their kind's cap: they are skipped."""
    counts = Counter(key for _, keys in records.values() for key in keys)
    return frozenset(key for key, count in counts.items() if count > policy.block_cap(key.kind))


def candidate_pairs(records: KeyedRecords, policy: Policy) -> frozenset[tuple[UUID, UUID]]:
    """Every pair (low, high) of records that share a match key which is not over-full."""
    blocks: dict[MatchKey, list[UUID]] = defaultdict(list)
    for record_id in sorted(records):
        for key in records[record_id][1]:
            blocks[key].append(record_id)
    return frozenset(
        (low, high)
        for key, members in blocks.items()
        if 1 < len(members) <= policy.block_cap(key.kind)
        for n, low in enumerate(members)
        for high in members[n + 1 :]
    )


def evidence(
    pairs: frozenset[tuple[UUID, UUID]], records: KeyedRecords, model: Model, policy: Policy
) -> Iterator[Edge]:
    """The pairs of at least `policy.review`, with their evidence, sorted by ids."""
    sides = {record_id: side((record,)) for record_id, (record, _) in records.items()}
    for low, high in sorted(pairs):
        found = compare(sides[low], sides[high], model, policy)
        if found.confidence >= policy.review:
            yield Edge(low, high, found)


Component = tuple[list[UUID], list[Edge], list[Constraint]]


def components(
    records: Mapping[UUID, IdentityRecord], edges: Sequence[Edge], constraints: Sequence[Constraint]
) -> list[Component]:
    """The connected components of edges and must-links, each with the edges and constraints that touch it."""
    root = {r: r for r in records}

    def find(record: UUID) -> UUID:
        while root[record] != record:
            root[record] = root[root[record]]
            record = root[record]
        return record

    for edge in edges:
        root[find(edge.low)] = find(edge.high)
    for constraint in constraints:
        present = [r for r in constraint.left | constraint.right if r in root]
        if constraint.kind is ConstraintKind.MUST_LINK:
            for record in present[1:]:
                root[find(record)] = find(present[0])
    found: dict[UUID, Component] = {}
    for record in sorted(records):
        found.setdefault(find(record), ([], [], []))[0].append(record)
    for edge in edges:
        found[find(edge.low)][1].append(edge)
    for constraint in constraints:
        for top in sorted({find(r) for r in constraint.left | constraint.right if r in root}):
            found[top][2].append(constraint)
    return list(found.values())
