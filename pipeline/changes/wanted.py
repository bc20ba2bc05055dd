"""Which changes somebody wants, out of all there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.changes.change import Change
from pipeline.changes.kinds import CHOICE, FAMILIES, TOPICS, ChangeType
from pipeline.errors import BadInput

NAMES = (*sorted(CHOICE), *(f"{family}.*" for family in FAMILIES))
"""All that `types_of` knows."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes somebody wants: of these types, and of this profile if one is named."""

    types: frozenset[ChangeType] = CHOICE
    profile: str | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics to read, in their order."""
        needed = {FAMILIES[one.partition(".")[0]] for one in self.types}
        return tuple(topic for topic in TOPICS if topic in needed)

    def __call__(self, change: Change) -> bool:
        """Whether a change of one of those topics is wanted."""
        if change.type is ChangeType.UNREADABLE:
            return True  # what it would have told nobody knows: whoever reads its topic hears of it
        return change.type in self.types and (self.profile is None or self.profile in change.profiles)


def types_of(names: Iterable[str]) -> frozenset[ChangeType]:
    """The types of these names, `profile.*` being all that begin so; none: all. Raises BadInput that names the wrong
    one and those there are."""
    found: set[ChangeType] = set()
    for name in names:
        family, _, rest = name.partition(".")
        some = {one for one in CHOICE if rest == "*" and one.startswith(f"{family}.")} or (
            {ChangeType(name)} if name in CHOICE else set()
        )
        if not some:
            raise BadInput(
                "type", f"{name[:60]!r} is none; there are {', '.join(sorted(CHOICE))}, and profile.*"
            )
        found |= some
    return frozenset(found) or CHOICE
