"""The pairs of rows that went wrong, for study."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from itertools import chain, combinations

from bench.matching.stream import Prepared, Run
from pipeline.identity.compare import compare, side
from pipeline.identity.model import IdentityRecord
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model


def wrong_pairs(prepared: Prepared, run: Run, model: Model, policy: Policy) -> Iterator[dict[str, object]]:
    """The pairs of rows put together that are two entities, then those kept apart that are one.

    Each with what the rows say and what comparing them says, whether blocking brought them together or not.
    """
    truth = prepared.data.entities
    for low, high in _within(run.clusters):
        if truth[low] != truth[high]:
            yield _wrong("false_positive", low, high, prepared, run, model, policy)
    for low, high in _within(prepared.data.truth):
        if run.clusters[low] != run.clusters[high]:
            yield _wrong("missed", low, high, prepared, run, model, policy)


def _within(assigned: Mapping[int, Hashable]) -> Iterator[tuple[int, int]]:
    """The pairs of rows in one group."""
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    for row, group in sorted(assigned.items()):
        members[group].append(row)
    return chain.from_iterable(combinations(rows, 2) for rows in members.values())


def _wrong(
    kind: str, low: int, high: int, prepared: Prepared, run: Run, model: Model, policy: Policy
) -> dict[str, object]:
    rows = prepared.data.rows
    found: dict[str, object] = {
        "data_set": prepared.data.name,
        "kind": kind,
        "record_ids": [rows[low].record_id, rows[high].record_id],
    }
    one, other = prepared.content(low), prepared.content(high)
    if one is None or other is None:
        return {**found, "nobody_named": True}
    pair = min(one.record_id, other.record_id), max(one.record_id, other.record_id)
    evidence = compare(side((one,)), side((other,)), model, policy)
    return {
        **found,
        "same_record": pair[0] == pair[1],
        "candidate": pair in run.candidates,
        "weight": evidence.weight,
        "confidence": evidence.confidence,
        "veto": evidence.veto,
        "levels": [list(level) for level in evidence.levels],
        "values": [_values(one), _values(other)],
    }


def _values(record: IdentityRecord) -> dict[str, object]:
    """A record in canonical form. What is measured here is public or made up."""
    identifiers: defaultdict[str, list[str]] = defaultdict(list)
    for identifier in record.identifiers:
        identifiers[identifier.type.value].append(identifier.value)
    return {**{trait.value: value for trait, value in record.traits.items()}, **identifiers}
