"""What needs the records of customers in the clear to be answered, from one connection of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.customer.search import Candidates, find_alike
from pipeline.identity.model import CanonicalRecord
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.privacy.keyring import KeyRing
from pipeline.store.database import Database, Transaction
from pipeline.store.identity_store import PostgresIdentityStore, RecordCache

MOST_COMPARED = 500
_CACHED_RECORDS = 5_000


class CustomerReader:
    """Reads only. One thread. Its methods raise NotFound, StoreUnavailable (away, or it took too long)."""

    def __init__(self, database: Database, ring: KeyRing, model: Model, policy: Policy) -> None:
        self._database = database
        self._model = model
        self._policy = policy
        self._cache = RecordCache(ring, _CACHED_RECORDS)

    def alike(self, asked: CanonicalRecord) -> Candidates:
        """The profiles with a record like what was asked (pipeline/customer/search.py)."""
        with self._reading() as tx:
            store = PostgresIdentityStore(tx, self._cache)
            return find_alike(asked, store, self._model, self._policy, MOST_COMPARED)

    def close(self) -> None:
        """Let go of the connection."""
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with self._database.transaction() as tx:
            tx.run("limit_reading")
            yield tx
