"""The customers of a difference as people may see them: golden values masked, by the id each has or is to have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Set
from dataclasses import dataclass

from pipeline.identity.ids import Id
from pipeline.privacy.keyring import KeyRing
from pipeline.replay.difference import Difference
from pipeline.store.database import Transaction
from pipeline.store.identity_store import open_record

Show = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class ShownCustomer:
    """A customer, its events, and its golden values as pairs of attribute and shown value."""

    profile_id: Id
    events: int
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ShownChange:
    """What happens: the `kind` of a change or `changed`, and the customers before and after."""

    kind: str
    before: tuple[ShownCustomer, ...]
    after: tuple[ShownCustomer, ...]


def shown(
    tx: Transaction, found: Difference, ring: KeyRing, show: Show, most: int
) -> tuple[ShownChange, ...]:
    """The first so many changes, read in the shadow that they were found in. Raises ConfigurationError."""
    chosen = [(c.kind.value, c.before, c.after) for c in found.changes[:most]]
    chosen += [("changed", (p,), (p,)) for p in found.renewed[: most - len(chosen)]]
    before = _customers(tx, "replay_golden_live", {p for _, ids, _ in chosen for p in ids}, ring, show)
    after = _customers(tx, "replay_golden_shadow", {p for _, _, ids in chosen for p in ids}, ring, show)
    return tuple(
        ShownChange(kind, tuple(before[p] for p in ids), tuple(after[p] for p in others))
        for kind, ids, others in chosen
    )


def _customers(
    tx: Transaction, query: str, profiles: Set[Id], ring: KeyRing, show: Show
) -> dict[Id, ShownCustomer]:
    events: dict[Id, int] = {}
    told: defaultdict[Id, list[tuple[str, str]]] = defaultdict(list)
    for profile, count, attribute, *sealed in tx.rows(query, (sorted(profiles),)) if profiles else ():
        events[profile] = count or 0
        if attribute is not None and sealed[-1] is not None:
            told[profile] += [
                (attribute, show(attribute, value)) for value in _values(ring, attribute, *sealed)
            ]
    return {p: ShownCustomer(p, events[p], tuple(sorted(told[p], key=_place))) for p in events}


def _values(
    ring: KeyRing, attribute: str, record: Id, sealed: bytes, wrapped: bytes, version: int
) -> list[str]:
    """What a record says of an attribute, as golden records name them."""
    content = open_record(ring, record, sealed, wrapped, version)
    said = [value for trait, value in content.traits.items() if trait.value == attribute]
    return said + [i.value for i in content.identifiers if i.type.value == attribute]


def _place(value: tuple[str, str]) -> tuple[int, str]:
    return _FIRST.index(value[0]) if value[0] in _FIRST else len(_FIRST), value[0]


_FIRST = ("first_name", "last_name", "date_of_birth", "email", "phone", "loyalty_id")
"""By what people know a customer."""
