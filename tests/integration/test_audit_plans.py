"""What is asked of a long audit log is found by an index, and not by reading all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql as composed

from pipeline.audit.asked import AskedEntries
from pipeline.identity.ids import Id
from pipeline.store.database import sql
from tests.support.audit import AuditLog, tamper

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, LATE = BEGIN + timedelta(hours=1), BEGIN + timedelta(hours=13)
FILL = """
INSERT INTO audit_entry (at, actor, action, profiles, objects, details)
SELECT '2026-01-01 00:00+00'::timestamptz + n * interval '1 second',
       CASE WHEN n %% 1000 = 0 THEN 'ann' ELSE 'shop-app' END,
       CASE WHEN n %% 5 = 0 THEN 'steward.skip' WHEN n %% 1000 = 1 THEN 'customer.revealed' ELSE 'customer.read' END,
       ARRAY[gen_random_uuid()], CASE WHEN n %% 5 = 0 THEN ARRAY['review:' || gen_random_uuid()] ELSE '{}' END, '{}'
FROM generate_series(1, 50000) n
"""


@pytest.fixture
def log(database: str) -> Iterator[AuditLog]:
    tamper(database, FILL, "ANALYZE audit_entry")
    with closing(AuditLog(database)) as opened:
        yield opened


def plan(log: AuditLog, query: str, asked: Mapping[str, object]) -> str:
    with log.database.transaction() as tx:
        explained = composed.SQL("EXPLAIN {}").format(composed.SQL(sql(query)))
        return "\n".join(line for (line,) in tx.connection.execute(explained, asked))


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (AskedEntries(), "audit_entry_at"),
        (AskedEntries(until=HOUR), "audit_entry_at"),
        (AskedEntries(since=HOUR, until=HOUR + timedelta(minutes=1)), "audit_entry_at"),
        (AskedEntries(actor="ann"), "audit_entry_actor"),
        (AskedEntries(actor="shop-app"), "audit_entry_at"),
        (AskedEntries(actions=["customer.revealed"]), "audit_entry_action"),
        (AskedEntries(actions=["customer.read"]), "audit_entry_at"),
        (AskedEntries(about="00000000-0000-0000-0000-000000000001"), "audit_entry_profiles"),
        (AskedEntries(about="review:1"), "audit_entry_objects"),
    ],
)
def test_entries_are_found_by_an_index(log: AuditLog, asked: AskedEntries, index: str) -> None:
    for place in ({"before_at": None, "before": None}, {"before_at": LATE, "before": 7}):
        found = plan(log, "read_audit", {**asked.parameters(), **place, "limit": 2})
        assert f"{index} " in found, found
        assert "Seq Scan on audit_entry" not in found


def test_what_stewards_did_with_reviews_of_a_customer_is_found_by_an_index(log: AuditLog) -> None:
    place = {"at": HOUR, "rank": 4, "id": Id(bytes(16)), "limit": 2}
    found = plan(log, "timeline_queue", {"profile_id": Id(bytes(16)), **place})
    assert "audit_entry_steward_profiles" in found, found
