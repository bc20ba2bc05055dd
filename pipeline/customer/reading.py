"""What needs the records of customers in the clear to be answered, from one connection of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from pipeline.customer.history import Moved, Past, led_to, members
from pipeline.customer.relationships import Household, household
from pipeline.customer.search import Candidates, find_alike
from pipeline.errors import NotFound
from pipeline.identity.ids import Id
from pipeline.identity.model import CanonicalRecord, IdentityRecord, RecordActivity
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.survivorship import golden_record
from pipeline.privacy.keyring import KeyRing
from pipeline.resolver import STAGE
from pipeline.store.configurations import Configurations
from pipeline.store.database import Database, Transaction
from pipeline.store.identity_store import PostgresIdentityStore, RecordCache

MOST_COMPARED = 500
MOST_OPENED = 1_000
MOST_RELATED = 25
_CACHED_RECORDS = 5_000


class CustomerReader:
    """Reads only. One thread. Its methods raise NotFound, StoreUnavailable (away, or it took too long)."""

    def __init__(self, database: Database, ring: KeyRing, model: Model, policy: Policy) -> None:
        self._database = database
        self._model = model
        self._policy = policy
        self._cache = RecordCache(ring, _CACHED_RECORDS)
        self._configurations = Configurations()

    def alike(self, asked: CanonicalRecord) -> Candidates:
        """The profiles with a record like what was asked (pipeline/customer/search.py)."""
        with self._reading() as tx:
            store = PostgresIdentityStore(tx, self._cache)
            return find_alike(asked, store, self._model, self._policy, MOST_COMPARED)

    def past(self, asked: Id, at: datetime) -> Past:
        """The profile an id led to at a moment, as it stood then (pipeline/customer/history.py)."""
        with self._reading() as tx:
            profile, created_at, moves = self._led_to(tx, asked, at)
            now = (r for (r,) in tx.rows("members", ([profile],)))
            then = members(profile, frozenset(now), moves, at)
            rows = tx.rows("history_records", {"records": sorted(then), "at": at})
            seen = {r: RecordActivity(first, last, tuple(by)) for r, first, last, by, _ in rows}
            opened = self._opened(tx, seen) if len(seen) <= MOST_OPENED else None
            return Past(
                profile_id=profile,
                created_at=created_at,
                records=tuple(seen),
                events=sum(count for *_, count in rows),
                opened=tuple(opened or ()),
                golden=None
                if opened is None
                else dict(golden_record(opened, self._policy_then(tx, at)).winners if opened else {}),
                holders=frozenset(
                    p for (p,) in tx.rows("history_holders", ([r.record_id for r, _ in opened or ()],))
                ),
                reprocessed_at=tuple(a for (a,) in tx.rows("history_activations", (at,))),
            )

    def _led_to(self, tx: Transaction, asked: Id, at: datetime) -> tuple[Id, datetime, list[Moved]]:
        """The profile that stood by itself then, since when there is one, and its moves. Raises NotFound."""
        profile: Id | None = asked
        while True:
            assert profile is not None
            row = tx.row("history_profile", (profile,))
            if row is None:
                raise NotFound("no such profile")
            if row[0] > at:
                raise NotFound(f"there was no such profile then: it came at {row[0].isoformat()}")
            moves = [
                Moved(kind, source, target, frozenset(records), when)
                for kind, source, target, records, when in tx.rows("history_moves", {"profile": profile})
            ]
            into = led_to(profile, moves, at)
            if into is None:
                return profile, row[0], moves
            profile = into

    def _opened(
        self, tx: Transaction, seen: Mapping[Id, RecordActivity]
    ) -> list[tuple[IdentityRecord, RecordActivity]]:
        """The records whose data keys are there."""
        contents = self._cache.get(list(seen), tx) if seen else {}
        return [(contents[r], activity) for r, activity in seen.items() if r in contents]

    def _policy_then(self, tx: Transaction, at: datetime) -> Policy:
        row = tx.row("in_force", {"stage": STAGE, "at": at})
        return self._policy if row is None else self._configurations.policy(tx, row[1])

    def household(self, profile: Id) -> Household:
        """Whom a profile that stands shares a home, a phone or a card with (pipeline/customer/relationships.py)."""
        with self._reading() as tx:
            store = PostgresIdentityStore(tx, self._cache)
            own = sorted(store.members((profile,)))[:MOST_OPENED]
            records = list(store.contents(own).values())
            return household(profile, records, store, self._model, self._policy, MOST_RELATED)

    def close(self) -> None:
        """Let go of the connection."""
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        """One snapshot for all queries of an answer: a merge that commits between two of them would tell half of it."""
        with self._database.transaction() as tx:
            tx.run("begin_snapshot")
            tx.run("limit_reading")
            yield tx
