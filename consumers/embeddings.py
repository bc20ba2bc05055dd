"""Embeddings: what each customer buys as a vector in `profile_embedding`, for customers who buy alike.

Messages tell only which profiles may have changed; their vectors are computed anew from what stands in Postgres, each
at most once a batch. So they follow merges, splits, rollbacks and activations exactly, and a message that comes again,
late or in another order changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from pgvector import SparseVector

from consumers.cache import profile_id_of
from consumers.loop import run
from pipeline.configuration import load_policy
from pipeline.customer.embedding import DIMENSIONS, MOST_ORDERS, embedding
from pipeline.identity.consent import PERSONALISATION, PURPOSES, ConsentState, allows
from pipeline.settings import Settings
from pipeline.store.consent import held_by
from pipeline.store.database import Database, Transaction
from pipeline.store.roles import Role, as_role

_CHUNK = 200  # profiles a transaction


class Changed(NamedTuple):
    """A profile that changed, or the record of an order: the profile is the one that it stands in by now."""

    profile: str | None = None
    record: str | None = None


class Embeddings:
    """The projection (`consumers.loop.Projection`) behind embeddings."""

    name = "embeddings"
    topics = ("profiles.updates", "events.linked")

    def __init__(self, database: Database, purposes: Mapping[str, ConsentState] = PURPOSES) -> None:
        self._database = database
        self._purposes = purposes

    def read(self, topic: str, key: bytes | None, value: Mapping[str, object] | None) -> Changed | None:
        """See `Projection`. Events without items say nothing of interest."""
        if topic == "profiles.updates":
            return Changed(profile=profile_id_of(key))
        order = cast(Mapping[str, object] | None, value["order"]) if value else None
        return Changed(record=cast(str, value["record_id"])) if value and order and order["items"] else None

    def apply(self, facts: Sequence[Changed]) -> None:
        """See `Projection`. Raises StoreUnavailable, TransactionConflict."""
        profiles = sorted({f.profile for f in facts if f.profile})
        records = sorted({f.record for f in facts if f.record})
        for start in range(0, max(len(profiles), len(records)), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            with self._turn() as tx:
                _renew(tx, profiles[chunk], records[chunk], self._purposes)
        self.rest()

    def rest(self) -> None:
        """See `Projection`: those that no message tells of. Raises StoreUnavailable, TransactionConflict."""
        while self._renew_due():
            pass

    def _renew_due(self) -> bool:
        with self._turn() as tx:
            due = {str(profile) for (profile,) in tx.rows("embeddings_due", (_CHUNK,))}
            if due:
                _renew(tx, sorted(due), (), self._purposes)
        return bool(due)

    @contextmanager
    def _turn(self) -> Iterator[Transaction]:
        """A transaction in which no other consumer of the group computes or writes."""
        with self._database.transaction() as tx:
            tx.run("embeddings_turn")
            yield tx


def _renew(
    tx: Transaction, profiles: Sequence[str], records: Sequence[str], purposes: Mapping[str, ConsentState]
) -> None:
    """Compute the vectors of these profiles, and of those that hold these records, anew; none of whoever does not
    consent to `personalisation`."""
    asked = {"profiles": list(profiles), "records": list(records), "most": MOST_ORDERS}
    rows = tx.rows("embeddings_bought", asked)
    said = held_by(tx, [profile for profile, _, _ in rows])
    vectors = [
        embedding(dict(zip(features, orders, strict=True)))
        if allows(PERSONALISATION, said.get(profile, {}), purposes)
        else None
        for profile, features, orders in rows
    ]
    texts = [None if vector is None else _text(vector) for vector in vectors]
    tx.run("embeddings_write", {"profiles": [profile for profile, _, _ in rows], "embeddings": texts})


def _text(vector: NDArray[np.float32]) -> str:
    """As Postgres reads it. The library would look at each dimension of an array: that took three times as long."""
    bought = np.flatnonzero(vector)
    held = dict(zip(bought.tolist(), vector[bought].tolist(), strict=True))
    return SparseVector(held, DIMENSIONS).to_text()


def main(settings: Settings) -> None:
    """Run the embeddings consumer until SIGTERM."""
    policy = load_policy(settings)
    with Database(as_role(settings, Role.EMBEDDINGS), "embeddings") as database:
        run(settings, lambda _: Embeddings(database, policy.purposes))
