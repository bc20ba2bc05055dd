"""Every stored event through today's logic, into the shadow: a page in one transaction, so that it can end anywhere and
go on from there.

Live goes on meanwhile. Nothing of it is locked: the shadow has one writer, so that even match keys need no locks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from pipeline.identity.ids import Id
from pipeline.normalized_event import Event
from pipeline.progress import Progress, silent
from pipeline.replay.constraints import follow, hold
from pipeline.replay.logic import Logic
from pipeline.replay.reading import Place, Reader
from pipeline.replay.shadow import Shadow
from pipeline.resolver import Resolver
from pipeline.steward import Stewardship
from pipeline.store.database import Transaction
from pipeline.store.identity_store import PostgresIdentityStore
from pipeline.store.identity_writer import Author, LoggedMerge
from pipeline.store.key_versions import KeyVersions

PAGE = 1_000
FIRST: Place = (datetime(1970, 1, 1, tzinfo=UTC), Id(bytes(16)))
"""Before all events."""


class _Alone(PostgresIdentityStore):
    """A store with one writer."""

    def lock_keys(self, keys: Collection[int]) -> None:
        """Nobody to keep out; these locks would hold up those who decide in the live house."""


class _Rebuilding(Resolver):
    """Resolves events whose records were just opened: `plain` holds them by raw event, and nothing is sealed for it."""

    plain: Mapping[Id, bytes]

    def store(self, tx: Transaction) -> PostgresIdentityStore:
        return _Alone(tx, self._cache, self._overfull.of(tx.connection), versions=self.versions)

    def tell(self, tx: Transaction, logged: Sequence[LoggedMerge], author: Author) -> None:
        """Nothing is decided yet."""

    def contents(self, tx: Transaction, events: Sequence[Event]) -> dict[Id, bytes]:
        return {e.raw_id: self.plain[e.raw_id] for e in events}


class Builder:
    """Goes on with a shadow that was begun."""

    def __init__(self, shadow: Shadow, logic: Logic, page: int = PAGE) -> None:
        self._shadow, self._page = shadow, page
        self._by = Stewardship(shadow.database, logic.ring, logic.codec, logic.model, logic.policy)
        self._resolver = _Rebuilding(
            logic.ring, logic.codec, logic.model, logic.policy, logic.settings.record_cache_size
        )
        with shadow.database.transaction() as tx:
            begun = shadow.state(tx)
        self._reader = Reader(logic, begun)
        self._resolver.versions = KeyVersions(begun.key_version)

    def build(self, progress: Progress = silent) -> None:
        """Decide all that is not decided yet: in a fixed order, then what came meanwhile. Raises StoreUnavailable."""
        with self._shadow.database.transaction() as tx:
            total, done = tx.row("replay_total") or (0, 0)
            reached = tx.row("replay_reached")
        at: Place | None = (reached[0], reached[1]) if reached else FIRST
        while at is not None:
            progress("events", done, total)
            with self._shadow.database.transaction() as tx:
                self._shadow.state(tx)
                at = self._next(tx, at)
            done = min(done + self._page, total)
        self.catch_up()
        with self._shadow.database.transaction() as tx:
            self._shadow.state(tx)
            self._heed(tx)
            tx.run("mark_built", (datetime.now(UTC),))
        progress("events", total, total)

    def catch_up(self) -> None:
        """Decide what came meanwhile, until little is left."""
        while True:
            with self._shadow.database.transaction() as tx:
                missing = _missing(tx)
            for start in range(0, len(missing), self._page):
                with self._shadow.database.transaction() as tx:
                    self._shadow.state(tx)
                    self._take(tx, missing[start : start + self._page])
            if len(missing) < self._page:
                return

    def finish(self, tx: Transaction) -> None:
        """Decide the rest in a transaction that keeps out who else decides."""
        missing = _missing(tx)
        for start in range(0, len(missing), self._page):
            self._take(tx, missing[start : start + self._page])
        self._heed(tx)

    def _heed(self, tx: Transaction) -> None:
        """What stewards said, and were asked, in the live house."""
        follow(tx, self._by)
        hold(tx, self._by)

    def _next(self, tx: Transaction, at: Place) -> Place | None:
        """Decide the page behind a place; returns where it ends, None at the end of all."""
        places: list[Place] = [
            (accepted, event)
            for accepted, event in tx.rows("replay_next", {"at": at[0], "event": at[1], "limit": self._page})
        ]
        if not places:
            return None
        self._take(tx, places)
        return places[-1]

    def _take(self, tx: Transaction, places: Sequence[Place]) -> None:
        page = self._reader.read(tx, places)
        self._resolver.plain = page.plain
        self._resolver.resolve(tx, page.events)
        if page.kept:
            tx.run("keep_events", tuple(map(list, zip(*page.kept, strict=True))))
        accepted = {event: at for at, event in places}
        lost = sorted((k.event_id, k.record_id, accepted[k.event_id]) for k in page.kept if k.undecided)
        if lost:
            tx.run("index_events", tuple(map(list, zip(*lost, strict=True))))


def _missing(tx: Transaction) -> list[Place]:
    tx.run("plan_for_whole_tables")
    try:
        return [(at, event) for at, event in tx.rows("replay_missing")]
    finally:
        tx.run("plan_for_few_rows")
