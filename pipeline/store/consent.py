"""What customers granted and withdrew, as it is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from pipeline.identity.consent import ConsentState, Statement
from pipeline.identity.ids import Id
from pipeline.store.database import Transaction

Said = tuple[Id | None, Id, Statement]
"""By way of which record (None: of nobody) and event something was said."""


def state(tx: Transaction, said: Iterable[Said]) -> None:
    """Remember what fresh events said."""
    rows = [(record, event, *statement) for record, event, statement in said]
    if rows:
        tx.run("state_consent", tuple(map(list, zip(*rows, strict=True))))


def said_by_way_of(tx: Transaction, records: Collection[Id]) -> dict[Id, frozenset[Statement]]:
    """The last word on each purpose by way of each record; records by which nothing was said are missing."""
    return _by_first(tx, "consent_of_records", records)


def said_by(tx: Transaction, events: Collection[Id]) -> dict[Id, frozenset[Statement]]:
    """All that events said; those that said nothing are missing."""
    return _by_first(tx, "consent_of_events", events)


def held_by(tx: Transaction, profiles: Collection[Id]) -> dict[Id, dict[str, ConsentState]]:
    """What holds of each purpose that anything was said of; profiles that said nothing are missing."""
    found = _by_first(tx, "consent_of_profiles", profiles)
    return {profile: {s.purpose: s.state for s in said} for profile, said in found.items()}


def _by_first(tx: Transaction, query: str, ids: Collection[Id]) -> dict[Id, frozenset[Statement]]:
    found: defaultdict[Id, set[Statement]] = defaultdict(set)
    for one, purpose, told, at, source in tx.rows(query, (list(ids),)) if ids else ():
        found[one].add(Statement(purpose, ConsentState(told), at, source))
    return {one: frozenset(said) for one, said in found.items()}
