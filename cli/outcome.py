"""What became of events, by what stands in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from pipeline.store.database import Database


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stands in the store of the given events.

    `stored`, `records`, `profiles` and `in_review` follow from the events alone. `linked`, `created` and
    `merged` say how each event was decided when it came: they depend on which events came in one batch.
    """

    stored: int
    linked: int
    created: int
    merged: int
    without_identity: int
    records: int
    profiles: int
    merges: int
    merges_undone: int
    in_review: int


def outcome(database: Database, ids: Sequence[UUID]) -> Outcome:
    """Count, in one transaction."""
    with database.transaction() as tx:
        decided: dict[str, tuple[int, int]] = {
            decision: (n, known) for decision, n, known in tx.rows("outcome_of", (list(ids),))
        }
        profiles = [p for p, _ in tx.rows("profiles_of_events", (list(ids),))]
        records = tx.row("records_of_events", (list(ids),)) or (0,)
        merges = tx.row("merges_of_events", (list(ids),)) or (0, 0)
        reviews = tx.row("reviews_of_profiles", {"profiles": profiles}) or (0,)
    stored = sum(n for n, _ in decided.values())

    def count(decision: str) -> int:
        return decided.get(decision, (0, 0))[0]

    return Outcome(
        stored=stored,
        linked=count("linked"),
        created=count("created"),
        merged=count("merged"),
        without_identity=stored - sum(known for _, known in decided.values()),
        records=records[0],
        profiles=len(profiles),
        merges=merges[0],
        merges_undone=merges[1],
        in_review=reviews[0],
    )


def clusters(database: Database, ids: Sequence[UUID]) -> dict[str, str]:
    """The profile of each record that the events carry, by the source's name for the record."""
    with database.transaction() as tx:
        return {r: str(p) for r, p in tx.rows("clusters_of", (list(ids),))}


def versions(database: Database, ids: Sequence[UUID]) -> dict[UUID, int]:
    """The profiles the events are in now, and their versions."""
    with database.transaction() as tx:
        return {cast(UUID, p): cast(int, v) for p, v in tx.rows("profiles_of_events", (list(ids),))}
