"""A profile as it stood at a moment, told from what is kept.

A record stands in one profile at a time, and every move of it is an entry of the merge log: where it stood is read from
the first of its moves after the moment, or from where it stands now if it has not moved since. It was there at all from
the commit of its first event on, and was seen as often as its events that were committed by then say.

So the records, their activity, and the identifiers are exact for every moment between two transactions since the last
activation of a replay: one takes events to other records, and what they spoke of before is not kept. The golden record
is made anew of them by the policy that was in force, as it was then unless a policy had changed since the profile did.
Versions are not kept: only the merge log's snapshots name some.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord, RecordActivity

MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Moved:
    """An entry of the merge log: records that went from one profile to another."""

    kind: str
    source: Id
    target: Id
    records: frozenset[Id]
    at: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """A profile then. `opened` are its records whose content is known, with their activity until then, and `golden` the
    winners among them; None where there are more than can be opened. `holders`: where those opened stand now.
    `reprocessed_at`: activations since."""

    profile_id: Id
    created_at: datetime
    records: tuple[Id, ...]
    events: int
    opened: tuple[tuple[IdentityRecord, RecordActivity], ...]
    golden: dict[str, Id] | None
    holders: frozenset[Id]
    reprocessed_at: tuple[datetime, ...]


def led_to(profile: Id, moves: Sequence[Moved], at: datetime) -> Id | None:
    """The profile that it was merged into then; None where it stood by itself. `moves` are those into it and out of it,
    in their order."""
    merged_into: Id | None = None
    for move in moves:
        if move.at > at:
            continue
        if move.kind == MERGED and move.source == profile:
            merged_into = move.target
        elif move.target == profile:  # it came back, by a rollback or a split
            merged_into = None
    return merged_into


def members(profile: Id, now: Collection[Id], moves: Sequence[Moved], at: datetime) -> frozenset[Id]:
    """The records that stood in a profile then, as far as they were there. `now` are those that stand in it now."""
    found = set(now)
    for move in reversed(moves):
        if move.at <= at:
            continue
        if move.target == profile:
            found -= move.records
        if move.source == profile:
            found |= move.records
    return frozenset(found)
