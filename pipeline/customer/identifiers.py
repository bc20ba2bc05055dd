"""A customer's identifiers with their history: who holds them, since when, and how they came and went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Move:
    """A merge, split or rollback that moved records between two profiles."""

    merge_log_id: UUID
    kind: str
    source_profile: UUID
    target_profile: UUID
    records: frozenset[UUID]
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """A record holds an identifier, and stands in a profile now."""

    type: str
    value_hash: bytes
    hash_key_version: int
    record_id: UUID
    profile_id: UUID
    first_seen: datetime
    last_seen: datetime
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class HeldIdentifier:
    """An identifier that a profile holds (`current`), or held until its records were moved away.

    Of one it holds, the records are those that hold it here; of another, those that took it along. `moves` are the
    decisions that moved such records into the profile or out of it, oldest first. `profiles`: where the records stand.
    """

    type: str
    value_hash: bytes
    hash_key_version: int
    current: bool
    first_seen: datetime
    last_seen: datetime
    sources: tuple[str, ...]
    records: tuple[UUID, ...]
    profiles: frozenset[UUID]
    moves: tuple[Move, ...]


def with_history(
    profile: UUID, holdings: Iterable[Holding], moves: Sequence[Move], most: int
) -> list[HeldIdentifier]:
    """Those it holds first, by type and first seen; no more than `most`. `moves` are all of this profile, oldest first;
    `holdings` all of its records and of those that moved."""
    by_identifier: defaultdict[tuple[str, bytes], list[Holding]] = defaultdict(list)
    for holding in holdings:
        by_identifier[holding.type, holding.value_hash].append(holding)
    by_record: defaultdict[UUID, list[int]] = defaultdict(list)
    for place, move in enumerate(moves):
        for record in move.records:
            by_record[record].append(place)
    found = []
    for (kind, value_hash), holders in by_identifier.items():
        here = [h for h in holders if h.profile_id == profile]
        told = here or holders
        places = sorted({place for h in holders for place in by_record[h.record_id]})
        found.append(
            HeldIdentifier(
                type=kind,
                value_hash=value_hash,
                hash_key_version=max(h.hash_key_version for h in told),
                current=bool(here),
                first_seen=min(h.first_seen for h in told),
                last_seen=max(h.last_seen for h in told),
                sources=tuple(sorted({s for h in told for s in h.sources})),
                records=tuple(sorted(h.record_id for h in told)),
                profiles=frozenset(h.profile_id for h in told),
                moves=tuple(moves[place] for place in places),
            )
        )
    found.sort(key=lambda i: (not i.current, i.type, i.first_seen, i.value_hash))
    return found[:most]
