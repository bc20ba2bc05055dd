"""What it means to undo merges, or to take records out of a profile: the constraints put, and whose ids come back.

A merge joined the records of its source with those that its target had, or got from others by the same decision. To
undo it is to part the two sets; every other record goes where it belongs by itself. So the customers are divided as if
the two had been told apart from the beginning, whatever came since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind

RecordSet = frozenset[Id]


@dataclass(frozen=True, slots=True)
class Undo:
    """A merge to be undone: what `source` and `target` held before it, and what others brought into `target` by the
    same decision (`siblings`)."""

    merge_log_id: Id
    source: Id
    target: Id
    left: RecordSet
    right: RecordSet
    siblings: RecordSet = frozenset()

    @property
    def records(self) -> RecordSet:
        """All it joined."""
        return self.left | self.right | self.siblings

    @property
    def constraint(self) -> Constraint:
        """What parts the two."""
        return Constraint(ConstraintKind.CANNOT_LINK, self.left, self.right | self.siblings)

    def is_of(self, home: Mapping[Id, Id]) -> bool:
        """Whether both sides still have a record, so that there is something to keep apart."""
        return not (home.keys().isdisjoint(self.left) or home.keys().isdisjoint(self.right | self.siblings))

    def stands(self, home: Mapping[Id, Id]) -> bool:
        """Whether records of both sides are in one profile, so that there is something to undo."""
        return not {home[r] for r in self.left if r in home}.isdisjoint(
            home[r] for r in self.right | self.siblings if r in home
        )


def claims(undos: Iterable[Undo]) -> dict[Id, RecordSet]:
    """The records that each profile of these merges had; of several merges, before all of them."""
    found: dict[Id, RecordSet] = {}
    for undo in undos:
        for profile, had in ((undo.source, undo.left), (undo.target, undo.right)):
            found[profile] = found.get(profile, had) & had or had
    return found


def taken_out(records: Collection[Id], members: Collection[Id]) -> Constraint:
    """What parts some records of a profile from the rest of its `members`."""
    chosen = frozenset(records)
    return Constraint(ConstraintKind.CANNOT_LINK, chosen, frozenset(members) - chosen)
