"""What became of events, by what stands in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pipeline.identity.ids import Id
from pipeline.store.database import Database


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stands in the store of the given events.

    `linked` events belong to a customer; `profiles` are those customers. `created` customers were founded (or
    split off) on the way there, and `merges` less `merges_undone` of them went into others. How many merges it
    takes depends on which events came in one batch; all else follows from the events alone. `decisions` counts the
    events by what was decided when they came.
    """

    stored: int
    linked: int
    records: int
    profiles: int
    created: int
    merges: int
    merges_undone: int
    in_review: int
    decisions: Mapping[str, int]


def outcome(database: Database, ids: Sequence[Id]) -> Outcome:
    """Count, in one transaction."""
    with database.transaction() as tx:
        decided: dict[str, tuple[int, int]] = {
            d: (n, known) for d, n, known in tx.rows("outcome_of", (list(ids),))
        }
        profiles = [p for p, _ in tx.rows("profiles_of_events", (list(ids),))]
        records = tx.row("records_of_events", (list(ids),)) or (0,)
        merges, undone = tx.row("merges_of_events", (list(ids),)) or (0, 0)
        reviews = tx.row("reviews_of_profiles", {"profiles": profiles}) or (0,)
    return Outcome(
        stored=sum(n for n, _ in decided.values()),
        linked=sum(known for _, known in decided.values()),
        records=records[0],
        profiles=len(profiles),
        created=len(profiles) + merges - undone,
        merges=merges,
        merges_undone=undone,
        in_review=reviews[0],
        decisions={d: n for d, (n, _) in sorted(decided.items())},
    )


def clusters(database: Database, ids: Sequence[Id]) -> dict[str, str]:
    """The profile of each record that the events carry, by the source's name for the record."""
    with database.transaction() as tx:
        return {r: str(p) for r, p in tx.rows("clusters_of", (list(ids),))}


def versions(database: Database, ids: Sequence[Id]) -> dict[Id, int]:
    """The profiles the events are in now, and their versions."""
    with database.transaction() as tx:
        return {cast(Id, p): cast(int, v) for p, v in tx.rows("profiles_of_events", (list(ids),))}
