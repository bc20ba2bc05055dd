"""Several resolve workers at once over hot identifiers end where one worker would."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import cast

from pipeline.errors import TransactionConflict
from pipeline.resolve_stage import ResolveStage
from pipeline.store.database import Database
from pipeline.stream.batch import Message, batch_of
from pipeline.stream.positions import load_positions
from tests.support.people import model, policy, ring
from tests.support.pipeline import StagesOnPostgres, event

WORKERS = 4
CUSTOMERS = 12


def crowd(seed: int) -> list[dict[str, object]]:
    """Events of a few customers who show ever other pairs of their identifiers: everything merges, again and again."""
    draw = random.Random(seed)
    events = []
    for number in range(1, 241):
        customer = draw.randrange(CUSTOMERS)
        shown = draw.sample(["email", "phone", "cookie_id", "device_id"], 2)
        values = {
            "email": f"customer{customer}@mailbox.net",
            "phone": f"+141555501{customer:02d}",
            "cookie_id": f"c-{customer}-{draw.randrange(3)}",
            "device_id": f"d-{customer}-{draw.randrange(2)}",
        }
        events.append(dict(event(number, {name: values[name] for name in shown})))
    return events


def work(dsn: str, stages: StagesOnPostgres, partition: int, values: list[bytes]) -> int:
    """One worker on a partition of its own, small batches; returns how often it had to start over."""
    conflicts = 0
    with Database(dsn, f"worker-{partition}") as database:
        worker = ResolveStage(stages.settings, database, ring(), stages.codec, model(), policy())
        place = ("events.normalized", partition)
        for start in range(0, len(values), 5):
            messages = [
                Message(*place, start + n, datetime.now(UTC), None, value)
                for n, value in enumerate(values[start : start + 5])
            ]
            while True:
                with database.transaction() as tx:
                    stored = load_positions(tx, "resolve", [place]).get(place)
                try:
                    worker.handle(batch_of(messages, {place: stored}))
                    break
                except TransactionConflict:
                    conflicts += 1
    return conflicts


def expected(events: list[dict[str, object]]) -> set[frozenset[str]]:
    """Events that hang together by shared identifiers, by the last three digits of their ids."""
    customers: list[tuple[set[str], set[str]]] = []
    for e in events:
        identifiers = {f"{k}:{v}" for k, v in cast(dict[str, str], e["identifiers"]).items()}
        names = {cast(str, e["event_id"])[-3:]}
        for one in [c for c in customers if c[0] & identifiers]:
            customers.remove(one)
            identifiers |= one[0]
            names |= one[1]
        customers.append((identifiers, names))
    return {frozenset(names) for _, names in customers}


def test_four_workers_end_where_one_does(database: str) -> None:
    stages = StagesOnPostgres(database)
    events = crowd(seed=1)
    normalized = stages.normalized(*events)
    with ThreadPoolExecutor(WORKERS) as pool:
        running = [pool.submit(work, database, stages, n, normalized[n::WORKERS]) for n in range(WORKERS)]
        conflicts = sum(r.result() for r in running)
    assert conflicts < len(events), "workers mostly stand in each other's way"
    assert stages.profiles() == expected(events)
    # live profiles have records, merged ones have none
    assert stages.rows(
        """SELECT count(*) FROM customer_profile p WHERE p.is_merged =
           EXISTS (SELECT FROM identity_record r WHERE r.profile_id = p.profile_id)"""
    ) == [(0,)]
    seen: dict[object, list[object]] = {}
    for state in stages.outbox("profiles.updates"):
        seen.setdefault(state["profile_id"], []).append(state["version"])
    assert all(versions == list(range(1, len(versions) + 1)) for versions in seen.values())
    stages.close()
