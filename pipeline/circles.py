"""How those who share an identifier meet, as the store knows them (pipeline/identity/twins.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pipeline.holders import Holder, unpack
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.identity.sharing import OVERFULL
from pipeline.identity.twins import Circle, Sides, sides
from pipeline.ports import Held, IdentityStore


def circles(
    keys: Collection[int], store: IdentityStore, policy: Policy, worn: Collection[int] = ()
) -> dict[int, Circle]:
    """The circles of those match keys of identifiers that have one; of all others every holder meets every other.

    `worn` are keys that this very batch wears.
    """
    held = {key: h for key, h in store.holders(keys).items() if has_circle(h, policy)} if keys else {}
    holders = {key: unpack(h.holders) for key, h in held.items()}
    standing = sides_of(records_of(holders.values()), store)
    return {
        key: Circle(
            {h.record: (h.likeness, standing.get(h.record)) for h in found},
            policy.holders_compared,
            speaks=not held[key].step and key not in worn,
        )
        for key, found in holders.items()
    }


def has_circle(held: Held, policy: Policy, gone: int = 0) -> bool:
    """Whether so many hold a key, or did with those who are `gone`, that not all of them are compared."""
    return held.step < OVERFULL and held.told + gone > policy.holders_compared.all


def sides_of(records: Collection[Id], store: IdentityStore) -> Mapping[Id, Sides]:
    """On which sides of standing cannot-links the records stand."""
    return sides(store.constraints(records)) if records else {}


def records_of(holders: Iterable[Iterable[Holder]]) -> frozenset[Id]:
    """The records of all holders."""
    return frozenset(holder.record for some in holders for holder in some)
