"""One log in any order, through both stages on a real Postgres: shuffled, late, doubled, in batches of any size."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from pipeline.identity.model import MatchKeyKind
from pipeline.identity.policy import Policy
from tests.servers import TestStack, fresh_database
from tests.support.people import policy
from tests.support.pipeline import EventIn, StagesOnPostgres

_FIRST, _LAST = ("Anna", "Ana", "Jon", "John", "Mary"), ("Smith", "Smyth", "Kowalski")
_STARTED = datetime(2026, 1, 1, tzinfo=UTC)


def log(seed: int, count: int = 90) -> list[EventIn]:
    """Events of a few people who share homes, tills and phones, name themselves otherwise now and then, and buy."""
    draw = Random(seed)
    events: list[EventIn] = []
    for number in range(1, count + 1):
        who = draw.randrange(14)
        all_of_them = {
            "email": f"till{who % 3}@mailbox.net" if draw.random() < 0.2 else f"customer{who}@mailbox.net",
            "phone": f"+141555501{who // 2:02d}",
            "loyalty_id": f"L-10{who:02d}",
            "cookie_id": f"c-{who}-{draw.randrange(3)}",
        }
        traits = {
            "first_name": _FIRST[(who + (draw.random() < 0.2)) % 5],
            "last_name": _LAST[who % 3],
            "date_of_birth": f"19{70 + who}-02-03",
            "postcode": f"100{who // 2:02d}",
        }
        bought = [f"sku-{draw.randrange(30)}" for _ in range(draw.choice((0, 0, 1, 4)))]
        events.append(
            {
                "source": draw.choice(("web", "pos", "crm")),
                "event_type": "purchase" if bought else "page_view",
                "event_id": f"00000000-0000-4000-8000-{number:012d}",
                "occurred_at": (_STARTED + timedelta(minutes=draw.randrange(5_000))).isoformat(),
                "identifiers": {
                    k: all_of_them[k] for k in draw.sample(sorted(all_of_them), draw.choice((1, 1, 2)))
                },
                "traits": {k: traits[k] for k in draw.sample(sorted(traits), draw.choice((0, 2, 4)))},
                "payload": {"items": [{"sku": s, "quantity": 1, "price": 5} for s in bought]}
                if bought
                else {},
            }
        )
    return events


def shuffled(events: list[EventIn], draw: Random) -> list[EventIn]:
    return draw.sample(events, len(events))


def doubled(events: list[EventIn], draw: Random) -> list[EventIn]:
    """Every third comes twice, anywhere."""
    return shuffled([*events, *draw.sample(events, len(events) // 3)], draw)


def late(events: list[EventIn], draw: Random) -> list[EventIn]:
    """One source is a day behind."""
    return sorted(events, key=lambda e: e["source"] == "pos")


def replayed(events: list[EventIn], draw: Random) -> list[EventIn]:
    """All of it, and then all of it from the start."""
    return [*events, *events]


def interleaved(events: list[EventIn], draw: Random) -> list[EventIn]:
    """As two partitions come when one worker reads both, each in its order."""
    lanes = [events[::2], events[1::2]]
    found = []
    while any(lanes):
        found.append(draw.choice([lane for lane in lanes if lane]).pop(0))
    return found


def narrowed() -> Policy:
    """Limits that so few people cross on the way. Nobody is asked before a large customer is split: until the answer
    what stands depends on what came first (docs/adr/0013)."""
    shipped = policy()
    caps = {**shipped.block_caps, MatchKeyKind.NAMES: 4}
    return replace(shipped, block_caps=caps, split_limit=1_000, version="narrow")


_WHAT_STANDS = {
    "customers": """SELECT array_agg(record_id ORDER BY record_id) FROM identity_record
        GROUP BY profile_id ORDER BY 1""",
    "golden records": """SELECT r.record_id, golden FROM identity_record r JOIN customer_profile USING (profile_id)
        ORDER BY 1""",
    "reviews": """SELECT q.kind, q.reason, q.confidence_score, (SELECT array_agg(record_id ORDER BY record_id)
        FROM identity_record WHERE profile_id IN (q.low_profile, q.high_profile)) AS of
        FROM review_queue q WHERE status = 'pending' ORDER BY 4, 1""",
    "evidence": """SELECT low, high, weight, veto FROM identity_evidence e JOIN identity_record l ON l.record_id = low
        JOIN identity_record h ON h.record_id = high WHERE l.profile_id <> h.profile_id ORDER BY 1, 2""",
    "events": """SELECT event_id, record_id FROM event ORDER BY 1""",
    "activity": """SELECT record_id, first_seen, last_seen, sources FROM identity_record ORDER BY 1""",
}


@contextmanager
def stands_after(
    stack: TestStack, template: str, rules: Policy, events: list[EventIn], batch: int
) -> Iterator[Mapping[str, list[tuple[object, ...]]]]:
    name = f"rb_test_{uuid.uuid4().hex[:12]}"
    with fresh_database(stack.postgres_dsn, name, template=template) as dsn:
        stages = StagesOnPostgres(dsn, rules=rules)
        stages.send(*events, batch=batch)
        yield {what: stages.rows(query) for what, query in _WHAT_STANDS.items()}
        stages.close()


@pytest.mark.parametrize(("seed", "narrow"), [(1, False), (2, True)])
def test_any_order_of_a_log_ends_in_the_same(
    stack: TestStack, request: pytest.FixtureRequest, seed: int, narrow: bool
) -> None:
    template: str = request.getfixturevalue("_migrated")
    rules, events, draw = narrowed() if narrow else policy(), log(seed), Random(seed)
    with stands_after(stack, template, rules, events, 30) as expected:
        assert 5 < len(expected["customers"]) < 60
        assert expected["reviews"]
    orders: list[tuple[Callable[[list[EventIn], Random], list[EventIn]], int]] = [
        (shuffled, 1),
        (doubled, 7),
        (late, 50),
        (replayed, 13),
        (interleaved, 4),
        (shuffled, 1000),
    ]
    for order, batch in orders:
        with stands_after(stack, template, rules, order(events, draw), batch) as found:
            for what, rows in expected.items():
                assert found[what] == rows, f"{what}, {order.__name__}, in batches of {batch}"
