"""Everything from scratch, in memory: what the stream must arrive at, whatever the order of arrival.

First of all the records are `weighed`: which identifiers are shared follows from all of them together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from math import inf

from pipeline.codes import ReasonCode
from pipeline.identity.blocking import identifier_key
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.cluster import cluster
from pipeline.identity.compare import compare, side
from pipeline.identity.graph import connected
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Constraint,
    ConstraintKind,
    Edge,
    Identifier,
    IdentityRecord,
    MatchKey,
    MatchKeyKind,
    Partition,
)
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.sharing import (
    OVERFULL,
    bits_lost,
    meeting,
    people,
    person,
    shared_of,
    sharing_limit,
    step_of,
)
from pipeline.identity.twins import Circle, Sides, likeness, sides

KeyedRecords = Mapping[Id, tuple[IdentityRecord, tuple[MatchKey, ...]]]
Block = Identifier | MatchKey
"""What brings records together: an identifier, as it meets, or a blocking key."""


@dataclass(frozen=True, slots=True)
class KeptWear:
    """Match keys that people wore who were forgotten since: they stay worn. `lost` are the bits that agreement on each
    lost, by its number under `secret`; infinity where it is over-full."""

    secret: bytes = field(default=b"", repr=False)
    lost: Mapping[int, float] = field(default_factory=dict)

    def of(self, block: Block) -> float:
        """The bits lost; 0 where nobody who was forgotten wore it."""
        if not self.lost:
            return 0.0
        number = block.key if isinstance(block, MatchKey) else identifier_key(block, self.secret)
        return self.lost.get(number, 0.0)


NOTHING_KEPT = KeptWear()


def resolve_all(
    records: KeyedRecords, constraints: Sequence[Constraint], model: Model, policy: Policy
) -> Partition:
    """Candidates by match keys under the policy's caps, compared, and clustered component by component."""
    records = weighed(records, policy)
    found = evidence(candidate_pairs(records, policy, constraints), records, model, policy)
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


def weighed(records: KeyedRecords, policy: Policy, kept: KeptWear = NOTHING_KEPT) -> KeyedRecords:
    """The records with their shared identifiers and what agreement on each has lost: before anything is compared."""
    lost = {}
    for block, members in blocks(records).items():
        if isinstance(block, Identifier):
            limit = sharing_limit(block.type, policy)
            step = step_of(people({person(records[r][0].traits) for r in members}), limit)
            full = len(members) > policy.block_cap(MatchKeyKind.IDENTIFIER)
            bits = bits_lost(OVERFULL if full else step, limit) if step or full else 0.0
            if bits := max(bits, kept.of(block)):
                lost[block] = bits
    return {
        r: (record.sharing(shared_of(record.identifiers, lost)), keys)
        for r, (record, keys) in records.items()
    }


def blocks(records: KeyedRecords) -> dict[Block, list[Id]]:
    """The records under each identifier and blocking key, in the order of their ids."""
    found: defaultdict[Block, list[Id]] = defaultdict(list)
    for record_id in sorted(records):
        record, keys = records[record_id]
        for identifier in {meeting(i) for i in record.identifiers}:
            found[identifier].append(record_id)
        for key in keys:
            if key.kind is not MatchKeyKind.IDENTIFIER:
                found[key].append(record_id)
    return found


def is_overfull(
    block: Block,
    members: Sequence[Id],
    records: KeyedRecords,
    policy: Policy,
    kept: KeptWear = NOTHING_KEPT,
) -> bool:
    """Whether a block of `weighed` records is skipped: too many records share it, or too many people an identifier."""
    if isinstance(block, Identifier):
        return dict(records[members[0]][0].shared).get(block) == inf
    return len(members) > policy.block_cap(block.kind) or kept.of(block) == inf


def overfull(records: KeyedRecords, policy: Policy) -> frozenset[Block]:
    """The blocks of `weighed` records that are skipped."""
    return frozenset(b for b, members in blocks(records).items() if is_overfull(b, members, records, policy))


def candidate_pairs(
    records: KeyedRecords,
    policy: Policy,
    constraints: Iterable[Constraint] = (),
    kept: KeptWear = NOTHING_KEPT,
) -> frozenset[tuple[Id, Id]]:
    """Every pair (low, high) of `weighed` records that share keys which are not over-full, and enough of them.

    Who shares an identifier with many meets by it (pipeline/identity/twins.py), and not by other kinds of keys as long
    as it is not worn.
    """
    shared: defaultdict[tuple[Id, Id], int] = defaultdict(int)
    spoken_for: defaultdict[Id, set[Identifier]] = defaultdict(set)
    loose: list[tuple[MatchKey, list[Id]]] = []
    standing = sides(constraints)
    for block, members in blocks(records).items():
        if len(members) < 2 or is_overfull(block, members, records, policy, kept):
            continue
        if not isinstance(block, Identifier):
            loose.append((block, members))
            continue
        circle = circle_of(block, members, records, policy, standing)
        for pair in circle.pairs() if circle else combinations(members, 2):
            shared[pair] |= 1 << MatchKeyKind.IDENTIFIER
        if circle and circle.speaks:
            for r in members:
                spoken_for[r].add(block)
    for key, members in loose:
        for low, high in combinations(members, 2):
            if low not in spoken_for or spoken_for[low].isdisjoint(spoken_for.get(high, ())):
                shared[low, high] |= 1 << key.kind
    held = {record_id: kinds_of(keys) for record_id, (_, keys) in records.items()}
    return frozenset(
        (low, high) for (low, high), kinds in shared.items() if worth_comparing(kinds, held[low] & held[high])
    )


def circle_of(
    block: Identifier,
    members: Sequence[Id],
    records: KeyedRecords,
    policy: Policy,
    standing: Mapping[Id, Sides],
) -> Circle | None:
    """How the holders of an identifier meet; None where all of them do."""
    if len(members) <= policy.holders_compared.all:
        return None
    alike = {r: (likeness(records[r][0].traits), standing.get(r)) for r in members}
    worn = any(i == block for i, _ in records[members[0]][0].shared)
    return Circle(alike, policy.holders_compared, not worn)


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
