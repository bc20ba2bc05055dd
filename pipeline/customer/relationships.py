"""Who shares an address, a phone or a card with a customer: a household, as a graph.

Found by match keys, as candidates are: those of the customer's own addresses, lines and cards lead to the records that
hold them too. An address key is coarse, so each record found is compared as well: what is shared is what the model says
agrees, with the bits it counts for one person; of two people of one home it speaks for a household instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from pipeline.holders import unpack
from pipeline.identity.blocking import identifier_key, keys_of
from pipeline.identity.compare import compare, side
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentifierType, IdentityRecord, MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.sharing import OVERFULL
from pipeline.ports import IdentityStore, Standing

SHARED_LEVELS: Mapping[str, frozenset[str]] = {
    "address": frozenset(("exact", "close", "no_number")),
    "phone": frozenset(("exact", "national", "shared")),
    "loyalty_id": frozenset(("exact", "shared")),
}
"""What counts as shared: the same home (not another unit of one house), line or card."""

_BY_IDENTIFIER = {
    IdentifierType.PHONE: "phone",
    IdentifierType.WHATSAPP: "phone",
    IdentifierType.LOYALTY_ID: "loyalty_id",
}


class Shared(NamedTuple):
    """What two customers share: the attribute, how far it agrees, and its bits for one person."""

    attribute: str
    level: str
    bits: float


@dataclass(frozen=True, slots=True)
class Tie:
    """Two customers, the lower id first, the records compared, and what they share."""

    low: Id
    high: Id
    low_record: Id
    high_record: Id
    shared: tuple[Shared, ...]


@dataclass(frozen=True, slots=True)
class Household:
    """A customer and those tied to it, with the ties among all of them.

    `left_out` more share a key and were not looked at; `overfull` are the attributes of the customer that too many
    people share to tell who lives together.
    """

    profiles: tuple[Id, ...]
    ties: tuple[Tie, ...]
    left_out: int
    overfull: tuple[str, ...]


def household(
    profile: Id,
    records: Sequence[IdentityRecord],
    store: IdentityStore,
    model: Model,
    policy: Policy,
    most: int,
) -> Household:
    """Whom a customer, known by these records, shares something with; no more than `most` others, those who share most
    keys first. Raises StoreUnavailable."""
    named = _telling(records, store.secret)
    held = store.holders(named.keys()) if named else {}
    overfull = sorted({named[key] for key, one in held.items() if one.step == OVERFULL})
    holders = {key: {h.record for h in unpack(one.holders)} for key, one in held.items()}
    standing = store.standing(frozenset().union(*holders.values())) if holders else {}
    found: defaultdict[Id, set[int]] = defaultdict(set)
    for key, some in holders.items():
        for record in some & standing.keys():
            found[standing[record].profile_id].add(key)
    others = sorted(found.keys() - {profile}, key=lambda p: (-len(found[p]), p))
    chosen = [profile, *others[:most]]
    first = {p: _representatives(p, found[p], holders, standing) for p in chosen}
    contents = store.contents({r for some in first.values() for r in some.values()})
    ties = tuple(_ties(chosen, first, contents, named, model, policy))
    near = {profile, *(p for t in ties if profile in (t.low, t.high) for p in (t.low, t.high))}
    return Household(
        profiles=tuple(p for p in chosen if p in near),
        ties=tuple(t for t in ties if {t.low, t.high} <= near),
        left_out=max(0, len(others) - most),
        overfull=tuple(overfull),
    )


def _telling(records: Iterable[IdentityRecord], secret: bytes) -> dict[int, str]:
    """The match keys of addresses, lines and cards, and which of these each is of."""
    found: dict[int, str] = {}
    for record in records:
        for identifier in record.identifiers:
            if attribute := _BY_IDENTIFIER.get(identifier.type):
                found[identifier_key(identifier, secret)] = attribute
        found |= {k.key: "address" for k in keys_of(record, secret) if k.kind is MatchKeyKind.ADDRESS}
    return found


def _representatives(
    profile: Id, keys: Iterable[int], holders: Mapping[int, Set[Id]], standing: Mapping[Id, Standing]
) -> dict[int, Id]:
    """For each key one record of the profile that holds it: all that hold it say the same of it."""
    return {
        key: min(r for r in holders[key] if r in standing and standing[r].profile_id == profile)
        for key in keys
    }


def _ties(
    profiles: Sequence[Id],
    first: Mapping[Id, Mapping[int, Id]],
    contents: Mapping[Id, IdentityRecord],
    named: Mapping[int, str],
    model: Model,
    policy: Policy,
) -> Iterator[Tie]:
    sides = {r: side((content,)) for r, content in contents.items()}
    for low, high in combinations(sorted(profiles), 2):
        found: dict[str, tuple[Shared, Id, Id]] = {}
        for key in sorted(first[low].keys() & first[high].keys()):
            one, other = first[low][key], first[high][key]
            if one not in sides or other not in sides:
                continue
            for attribute, level, bits in compare(sides[one], sides[other], model, policy).levels:
                if attribute == named[key] and level in SHARED_LEVELS[attribute]:
                    shared = Shared(attribute, level, bits)
                    if attribute not in found or shared.bits > found[attribute][0].bits:
                        found[attribute] = shared, one, other
        if found:
            told = sorted(found.values(), key=lambda f: -f[0].bits)
            yield Tie(low, high, told[0][1], told[0][2], tuple(f[0] for f in told))
