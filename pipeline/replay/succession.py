"""Which id each customer of the shadow is to have, and the decisions that lead there: pure.

By the house's own rule (pipeline/identity/decide.py): of customers that come together the older keeps its id, of one
that comes apart the part that holds its oldest record. What both houses know are events, so what is passed on are the
events that a live customer and one of the shadow have in common, by the oldest record among them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pipeline.codes import ReasonCode
from pipeline.identity.decide import decide
from pipeline.identity.graph import connected
from pipeline.identity.ids import Id
from pipeline.identity.model import Created, Linked, Merged, Partition, Review, Split, StandingProfile


class Part(NamedTuple):
    """What a live customer and one of the shadow have in common: the age of their oldest record in common, and how many
    events. `live` None: those events named nobody; `shadow` None: they name nobody any more."""

    live: Id | None
    shadow: Id | None
    first_seen: datetime
    events: int


class ChangeKind(StrEnum):
    """What becomes of customers."""

    MERGE = "merge"
    SPLIT = "split"
    MIXED = "mixed"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Change:
    """Live customers, and those that their events make up by today's logic, as far as they hang together.

    Both by the ids they have or are to have, the oldest first. Of those that are `new` nothing spoke before, of those
    that are `gone` nothing does any more.
    """

    kind: ChangeKind
    before: tuple[Id, ...]
    after: tuple[Id, ...]


class Step(NamedTuple):
    """One entry of the merge log: `kind` merged or split."""

    kind: str
    source: Id
    target: Id


@dataclass(frozen=True, slots=True)
class Succession:
    """`heirs` maps each customer of the shadow to the id it is to have; `gone` are live ids that nobody is to have."""

    heirs: Mapping[Id, Id]
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    gone: frozenset[Id]


def succession(
    parts: Sequence[Part],
    created_at: Callable[[Iterable[Id]], Mapping[Id, datetime]],
    new_id: Callable[[], Id],
) -> Succession:
    """The heirs of all customers. `parts` come by their age; `created_at` tells that of profiles."""
    heirs: dict[Id, Id] = {}
    steps: list[Step] = []
    changes: list[Change] = []
    gone: set[Id] = set()
    tangled: list[list[Part]] = []
    for group in _groups(parts):
        (first, *more) = group
        if not more and first.live is not None and first.shadow is not None:
            heirs[first.shadow] = first.live
        else:
            tangled.append(group)
    births = created_at({p.live for group in tangled for p in group if p.live is not None})
    for group in tangled:
        found = _untangled(group, births, new_id)
        heirs |= found.heirs
        steps += found.steps
        changes += found.changes
        gone |= found.gone
    return Succession(heirs, tuple(steps), tuple(changes), frozenset(gone))


def _groups(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts whose customers hang together, in their order."""
    numbers = [_numbered(n) for n in range(len(parts))]
    links: defaultdict[tuple[bool, Id], list[Id]] = defaultdict(list)
    for number, part in zip(numbers, parts, strict=True):
        if part.live is not None:
            links[True, part.live].append(number)
        if part.shadow is not None:
            links[False, part.shadow].append(number)
    groups = connected(numbers, links.values())
    return [[parts[int.from_bytes(n)] for n in sorted(group)] for group in groups]


def _numbered(number: int) -> Id:
    return Id(number.to_bytes(16))


def _untangled(group: Sequence[Part], births: Mapping[Id, datetime], new_id: Callable[[], Id]) -> Succession:
    """What is decided of one group. Its parts are to `decide` what records are otherwise."""
    at = {_numbered(n): part for n, part in enumerate(group)}
    clusters: defaultdict[Id, set[Id]] = defaultdict(set)
    members: defaultdict[Id, set[Id]] = defaultdict(set)
    for number, part in at.items():
        if part.shadow is not None:
            clusters[part.shadow].add(number)
            if part.live is not None:
                members[part.live].add(number)
    decisions = decide(
        [StandingProfile(p, births[p], frozenset(own)) for p, own in sorted(members.items())],
        Partition(tuple(frozenset(c) for c in clusters.values())),
        {number: part.first_seen for number, part in at.items()},
        new_id,
        because=ReasonCode.REPROCESSED,
    )
    home = {number: part.live for number, part in at.items()}
    steps: list[Step] = []
    for decision in decisions:
        match decision:
            case Merged() | Split():
                kind = "merged" if isinstance(decision, Merged) else "split"
                steps.append(Step(kind, decision.source, decision.target))
                home.update(dict.fromkeys(decision.records, decision.target))
            case Created() | Linked():
                home.update(dict.fromkeys(decision.records, decision.profile_id))
            case Review():
                pass
    heirs = {shadow: _one(home[number] for number in numbers) for shadow, numbers in clusters.items()}
    gone = {p.live for p in group if p.live is not None} - members.keys()
    return Succession(heirs, tuple(steps), _changes(group, heirs), frozenset(gone))


def _one(homes: Iterable[Id | None]) -> Id:
    """All parts of a customer come to one id."""
    (home,) = set(homes)
    assert home is not None
    return home


def _changes(group: Sequence[Part], heirs: Mapping[Id, Id]) -> tuple[Change, ...]:
    before = tuple(dict.fromkeys(p.live for p in group if p.live is not None))
    after = tuple(dict.fromkeys(heirs[p.shadow] for p in group if p.shadow is not None))
    if not before:
        kind = ChangeKind.NEW
    elif not after:
        kind = ChangeKind.GONE
    elif len(after) == 1 and len(before) == 1:
        return ()  # the same customer, and some events came to it or went
    elif len(after) == 1:
        kind = ChangeKind.MERGE
    else:
        kind = ChangeKind.SPLIT if len(before) == 1 else ChangeKind.MIXED
    return (Change(kind, before, after),)
