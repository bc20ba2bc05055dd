"""Several resolve workers at once over hot identifiers end where one worker would."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from pipeline.codes import ReasonCode
from pipeline.errors import TransactionConflict
from pipeline.identity.model import MatchKeyKind
from pipeline.store.database import Database
from pipeline.stream.batch import Message, batch_of
from pipeline.stream.positions import load_positions
from pipeline.verify.verification import verify
from tests.support.people import model, policy, ring
from tests.support.pipeline import StagesOnPostgres, event

WORKERS = 4
CUSTOMERS = 12
FIRST = ["Anna", "Bo", "Cem", "Dana", "Eli", "Fay", "Gus", "Hana"]
LAST = ["Smith", "Kowalski", "Jones"]


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
        worker = stages.worker(database)
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


def tills(seed: int) -> list[dict[str, object]]:
    """Events of a few customers who leave the e-mail of one of three tills as often as their own: identifiers come to
    be shared, and blocking keys over-full, while other workers rest on them."""
    draw = random.Random(seed)
    events = []
    for number in range(1, 201):
        customer = draw.randrange(24)
        name = {"first_name": FIRST[customer % 8], "last_name": LAST[customer // 8 % 3]}
        shown = {"email": f"till{customer % 3}@mailbox.net", "cookie_id": f"c-{draw.randrange(40)}"}
        if draw.random() < 0.5:
            shown["email"] = f"customer{customer}@mailbox.net"
        events.append(dict(event(number, shown, traits=name if draw.random() < 0.7 else {})))
    return events


def test_limits_that_several_workers_cross_hold_for_all(database: str) -> None:
    rules = replace(policy(), block_caps={**policy().block_caps, MatchKeyKind.NAMES: 4}, version="narrow")
    stages = StagesOnPostgres(database, rules=rules)
    normalized = stages.normalized(*tills(seed=3))
    with ThreadPoolExecutor(WORKERS) as pool:
        running = [pool.submit(work, database, stages, n, normalized[n::WORKERS]) for n in range(WORKERS)]
        for r in running:
            r.result()
    crossed = dict(stages.rows("SELECT reason, count(*) FROM worn_key GROUP BY reason"))
    assert crossed.keys() == {ReasonCode.SHARED_IDENTIFIER, ReasonCode.BLOCK_OVERFULL}
    assert [fault.as_dict() for fault in verify(stages.database, ring(), model(), rules).faults] == []
    stages.close()
