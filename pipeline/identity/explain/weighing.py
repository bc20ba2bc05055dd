"""The evidence between two sides with every attribute that either of them has, neutral ones included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.identity.compare import compare, side
from pipeline.identity.explain.content import ATTRIBUTES, values
from pipeline.identity.explain.explanation import AttributeEvidence, Origin, Show, Weighing
from pipeline.identity.model import Comparison, IdentityRecord
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model

_HOUSEHOLD = "household"

Records = Sequence[IdentityRecord]


class Configuration(NamedTuple):
    """The model and policy that decide."""

    model: Model
    policy: Policy


class StoredComparison(NamedTuple):
    """A comparison as it was stored with the decision, and by which versions it was made."""

    comparison: Comparison
    model_version: str
    policy_version: str


def weigh(
    left: Records,
    right: Records,
    by: Configuration,
    show: Show,
    stored: StoredComparison | None = None,
) -> Weighing:
    """Compare two sides and lay the evidence out. Where it was stored, that counts: it is what decided."""
    found = compare(side(left), side(right), by.model, by.policy)
    origin = Origin.COMPUTED
    if stored is not None:
        origin = Origin.CONFIRMED
        if stored.comparison.weight != found.weight or stored.comparison.veto != found.veto:
            origin, found = Origin.DIFFERS, stored.comparison
    reached = {level.attribute: level for level in found.levels if level.attribute != _HOUSEHOLD}
    attributes = []
    for name in (*ATTRIBUTES, *(a for a in reached if a not in ATTRIBUTES)):
        mine, other = _shown(left, name, show), _shown(right, name, show)
        level = reached.get(name)
        if mine or other or level:
            bits = level.weight if level else 0.0
            attributes.append(AttributeEvidence(name, mine, other, level.level if level else None, bits))
    strangers = by.model.prior
    for (
        level
    ) in found.levels:  # in the order in which `compare` adds them up: the sum is the same to the last bit
        if level.attribute != _HOUSEHOLD:
            strangers += level.weight
    return Weighing(
        prior=by.model.prior,
        attributes=tuple(attributes),
        household=min(0.0, found.weight - strangers),
        weight=found.weight,
        confidence=found.confidence,
        veto=found.veto,
        model_version=by.model.version,
        policy_version=by.policy.version,
        origin=origin,
    )


def _shown(records: Records, attribute: str, show: Show) -> tuple[str, ...]:
    if attribute not in ATTRIBUTES:
        return ()
    return tuple(show(attribute, value) for value in values(records, attribute))
