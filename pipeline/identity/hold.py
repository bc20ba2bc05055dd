"""Profiles that are held together although what held them together fell: too large to be split without a steward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from pipeline.codes import ReasonCode
from pipeline.identity.compare import compare, side
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, Edge, IdentityRecord, Partition, Proposal
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model

Parts = tuple[frozenset[Id], ...]


def to_hold(
    profiles: Mapping[Id, frozenset[Id]],
    held: Collection[Id],
    doubts: Mapping[Id, ReasonCode],
    partition: Partition,
    policy: Policy,
) -> list[frozenset[Id]]:
    """The records of each profile that would fall apart and may not: it is held, or a limit was crossed just now.

    A record that moves because better evidence came is no merge that no longer holds, however large its profile.
    """
    at = {r: n for n, members in enumerate(partition.clusters) for r in members}
    return [
        members
        for profile, members in sorted(profiles.items())
        if len(members) > policy.split_limit
        and (profile in held or not members.isdisjoint(doubts))
        and len({at[r] for r in members}) > 1
    ]


def as_constraints(held: Iterable[frozenset[Id]]) -> tuple[Constraint, ...]:
    """What keeps them together: as if a steward had said so, and only against what no steward has said."""
    return tuple(Constraint(ConstraintKind.MUST_LINK, members, frozenset()) for members in held)


def sides_held(
    held: Iterable[frozenset[Id]], free: Partition, constraints: Collection[Constraint]
) -> list[frozenset[Id]]:
    """What is kept together where a cannot-link parts a held profile: what belongs together by itself goes to its side
    as a whole, and what belongs to neither stays with the largest part."""
    sides: list[set[Id]] = []
    for members in held:
        mine: list[set[Id]] = []
        for part in sorted((part for c in free.clusters if (part := c & members)), key=_largest):
            home = next((m for m in mine if not any(c.parts(m, part) for c in constraints)), None)
            if home is None:
                mine.append(set(part))
            else:
                home |= part
        sides += mine
    return [frozenset(members) for members in sides]


def parts_held(held: Iterable[frozenset[Id]], free: Partition, final: Partition) -> list[Parts]:
    """For each cluster of the final partition that holds together what would be free: the parts, the largest first.

    A record that came to the cluster meanwhile is in one of them as well.
    """
    within = {r: n for n, members in enumerate(free.clusters) for r in members}
    records = frozenset().union(*held)
    found = []
    for members in final.clusters:
        if members.isdisjoint(records):
            continue
        parts: defaultdict[int, set[Id]] = defaultdict(set)
        for r in members:
            parts[within[r]].add(r)
        if len(parts) > 1:
            found.append(tuple(sorted(map(frozenset, parts.values()), key=_largest)))
    return found


def _largest(part: frozenset[Id]) -> tuple[int, Id]:
    return -len(part), min(part)


def proposal(
    profile: Id, parts: Parts, records: Mapping[Id, IdentityRecord], model: Model, policy: Policy
) -> Proposal:
    """The proposal to split a profile into these parts."""
    first, rest = parts[0], frozenset().union(*parts[1:])
    one, other = (side(records[r] for r in sorted(members)) for members in (first, rest))
    low, high = sorted((min(first), min(rest)))
    return Proposal(profile, parts, Edge(low, high, compare(one, other, model, policy)))
