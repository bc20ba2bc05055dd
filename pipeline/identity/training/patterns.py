"""What comparing many pairs comes to: patterns of levels, and how many pairs show each (Enamorado et al. 2019)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

Telling = Mapping[tuple[str, str], float]
"""Of the sightings of a level, by attribute and level, the share that counts: above 0, at most 1."""


def pattern(found: Sequence[Level], model: Model) -> Pattern:
    """The pattern of a comparison's levels, not yet adjusted."""
    rarity = sum(f.weight - model.level(f.attribute, f.level).weight for f in found if f.attribute in NAMES)
    told = tuple((f.attribute, f.level) for f in found if f.level != _SHARED)
    return Pattern(told, round(rarity / _RARITY_STEP))


NAMES = frozenset(("given_name", "surname"))
"""The attributes whose agreement is worth the rarity of the value."""


def shown(
    pairs: Iterable[tuple[Id, Id]], sides: Mapping[Id, Side], model: Model, policy: Policy
) -> Iterator[tuple[Id, Id, Pattern]]:
    """The pairs that have anything to compare, each with its pattern; `model` says what is a nickname and how rare a
    name is."""
    for low, high in pairs:
        if found := levels(sides[low], sides[high], model, policy):
            yield low, high, pattern(found, model)


def count(found: Iterable[tuple[Id, Id, Pattern]]) -> Counter[Pattern]:
    """How many pairs show each pattern."""
    return Counter(pattern for _, _, pattern in found)
