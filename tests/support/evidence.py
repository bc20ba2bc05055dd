"""The evidence between records as a store has it, and as it follows from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pipeline.identity.blocking import identifier_key
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, Identifier, MatchKey, MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.identity.scratch import (
    Block,
    KeyedRecords,
    blocks,
    candidate_pairs,
    circle_of,
    evidence,
    is_overfull,
    weighed,
)
from pipeline.identity.twins import Circle, sides
from pipeline.meet import Pair
from pipeline.ports import IdentityStore
from tests.support.people import Person, model, ring


def keyed(people: Sequence[Person]) -> KeyedRecords:
    """Their records with their match keys."""
    return {p.record_id: (p.arrival.record, p.arrival.keys) for p in people if p.arrival.record}


def evidence_stored(
    store: IdentityStore, records: Collection[Id], rules: Policy
) -> Mapping[Pair, tuple[float, tuple[MatchKey, ...]]]:
    """The evidence worth a steward's look: its weight, and the keys that bring it together by now."""
    found = {}
    for grounds in store.grounds(records):
        overfull = store.overfull_among([k.key for k in grounds.via])
        by = tuple(k for k in grounds.via if k.key not in overfull)
        if grounds.edge.comparison.confidence >= rules.review:
            found[grounds.edge.low, grounds.edge.high] = grounds.edge.comparison.weight, by
    return found


def evidence_from_scratch(
    people: Sequence[Person], rules: Policy, constraints: Sequence[Constraint] = ()
) -> Mapping[Pair, tuple[float, tuple[MatchKey, ...]]]:
    """The same by the pure core."""
    judged = weighed(keyed(people), rules)
    standing = sides(constraints)
    alive: dict[MatchKey, Circle | None] = {
        _key(block): circle_of(block, members, judged, rules, standing)
        if isinstance(block, Identifier)
        else None
        for block, members in blocks(judged).items()
        if not is_overfull(block, members, judged, rules)
    }

    def by(low: Id, high: Id) -> tuple[MatchKey, ...]:
        shared = (k for k in judged[low][1] if k in judged[high][1] and k in alive)
        return tuple(k for k in shared if (circle := alive[k]) is None or circle.meets(low, high))

    found = evidence(candidate_pairs(judged, rules, constraints), judged, model(), rules)
    return {(e.low, e.high): (e.comparison.weight, by(e.low, e.high)) for e in found if e is not None}


def _key(block: Block) -> MatchKey:
    if not isinstance(block, Identifier):
        return block
    return MatchKey(MatchKeyKind.IDENTIFIER, identifier_key(block, ring().current.match))
