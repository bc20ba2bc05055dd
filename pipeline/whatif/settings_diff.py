"""Where two policies or models differ, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.frozen import freeze
from pipeline.identity.explain.weighing import Configuration

NORMALIZING = frozenset(
    ("placeholders", "placeholder_dates", "placeholder_emails", "dotless_domains", "domain_aliases")
)
"""Fields of the policy that work when an event is normalized: what is stored was made without them."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A field that differs, by its path, and both values; None where one lacks it."""

    of: str
    path: str
    active: object
    other: object

    @property
    def is_simulated(self) -> bool:
        """Whether it shows in what is stored, or only in events still to come."""
        return self.of == "model" or self.path.partition(".")[0] not in NORMALIZING


def differing(active: Configuration, other: Configuration) -> tuple[Setting, ...]:
    """Every field in which they differ, in the order of declaration; versions apart."""
    return tuple(
        Setting(of, path, one, another)
        for of, mine, its in (
            ("policy", active.policy, other.policy),
            ("model", active.model, other.model),
        )
        for path, one, another in _differing(freeze(mine), freeze(its), "")
        if path != "version"
    )


def _differing(one: object, other: object, path: str) -> Iterator[tuple[str, object, object]]:
    if one == other:
        return
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys((*one, *other)):
            yield from _differing(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(one, list) and isinstance(other, list):  # what was a set
        for value in sorted({*map(str, one)} ^ {*map(str, other)}):
            yield f"{path}.{value}", "listed" if value in one else None, "listed" if value in other else None
    else:
        yield path, one, other
