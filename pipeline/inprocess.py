"""The same steps as the resolve stage, in memory and without servers: one batch of records after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.settle import Settlement, settle
from pipeline.matching import Arrival, gather
from pipeline.store.memory import MemoryIdentityStore


def resolve_batch(
    store: MemoryIdentityStore,
    arrivals: Mapping[Id, Arrival],
    model: Model,
    policy: Policy,
    new_id: Callable[[], Id],
    now: datetime,
) -> Settlement:
    """Link, create and merge for these records, each of them complete (keys and content), known or not."""
    stored = store.known({r: a.activity for r, a in arrivals.items()})
    known = {r: a for r, a in arrivals.items() if r in stored}
    new = {r: a for r, a in arrivals.items() if r not in stored}
    found = gather(new, known, stored, store, model, policy)
    settlement = settle(found.neighbourhood, model, policy, new_id, now)
    store.write(found, settlement, new, known)
    return settlement
