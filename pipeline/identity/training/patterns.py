"""What comparing many pairs comes to: patterns of levels, and how many pairs show each (Enamorado et al. 2019)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.identity.compare import Side, levels
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.identity.score import Level, Model

_RARITY_STEP = 0.5  # bits
_SHARED = "shared"
"""An identifier that too many share: no level of the model's, and nothing to learn from."""


class Pattern(NamedTuple):
    """The levels that a pair reached, and the rarity of the names that agree in half bits."""

    levels: tuple[tuple[str, str], ...]
    rarity: int

    def weighed(self, model: Model) -> list[Level]:
        """The levels as `model` weighs them."""
        found = [model.level(attribute, level) for attribute, level in self.levels]
        if self.rarity:
            # which of the names it belongs to makes no difference: their weights are only ever added up
            first = found[0]
            found[0] = first._replace(weight=first.weight + self.rarity * _RARITY_STEP)
        return found


Patterns = Mapping[Pattern, float]
"""How many pairs show each pattern."""


def pattern(found: Sequence[Level], model: Model) -> Pattern:
    """The pattern of a comparison's levels, not yet adjusted."""
    rarity = sum(f.weight - model.level(f.attribute, f.level).weight for f in found if f.attribute in NAMES)
    told = tuple((f.attribute, f.level) for f in found if f.level != _SHARED)
    return Pattern(told, round(rarity / _RARITY_STEP))


NAMES = frozenset(("given_name", "surname"))
"""The attributes whose agreement is worth the rarity of the value."""


def count(
    pairs: Iterable[tuple[Id, Id]], sides: Mapping[Id, Side], model: Model, policy: Policy
) -> Counter[Pattern]:
    """The patterns of these pairs; `model` says what is a nickname and how rare a name is."""
    return Counter(
        pattern(found, model)
        for low, high in pairs
        if (found := levels(sides[low], sides[high], model, policy))
    )
