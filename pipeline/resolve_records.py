"""Records into customers from scratch, step by step and with progress: a file's, or all that is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.identity import scratch
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, Edge, Partition
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.progress import Progress, silent, watched


@dataclass(frozen=True, slots=True)
class Resolved:
    """The pairs compared, those worth remembering (of at least `policy.review`), and what came of them."""

    pairs: frozenset[tuple[Id, Id]]
    edges: tuple[Edge, ...]
    partition: Partition


def resolve_records(
    records: scratch.KeyedRecords,
    constraints: Sequence[Constraint],
    model: Model,
    policy: Policy,
    progress: Progress = silent,
    kept: scratch.KeptWear = scratch.NOTHING_KEPT,
) -> Resolved:
    """What `scratch.resolve_all` says of `scratch.weighed` records, and what it rests on."""
    pairs = scratch.candidate_pairs(records, policy, constraints, kept)
    compared = watched(scratch.evidence(pairs, records, model, policy), "compare", len(pairs), progress)
    edges = tuple(edge for edge in compared if edge is not None)
    partition = scratch.partition(records, edges, constraints, model, policy)
    progress("cluster", len(partition.clusters), len(partition.clusters))
    return Resolved(pairs, edges, partition)
