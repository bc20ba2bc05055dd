"""A house that was there before the audit log: what stewards did, and what was merged, is in the log from then on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from yoyo.migrations import MigrationList

from infra import migrate as migrating
from infra.migrate import migrate
from pipeline.audit.breach import Breach
from tests.servers import TestStack, fresh_database
from tests.support.audit import AuditLog, tamper

AUDIT = "0017_audit"
MERGES = 1_001
ONE, TWO, REVIEW = (str(uuid.UUID(int=n)) for n in (1, 2, 3))


@pytest.fixture
def before(stack: TestStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database without the migrations from that of the audit log on."""
    with fresh_database(stack.postgres_dsn, f"rb_test_{uuid.uuid4().hex[:12]}") as dsn:
        with monkeypatch.context() as patched:
            every = migrating._migrations()
            older = MigrationList(m for m in every if m.id < AUDIT)
            patched.setattr(migrating, "_migrations", lambda: older)
            patched.setattr(migrating, "_tell", lambda dsn: None)
            migrate(dsn)
        yield dsn


MERGED = (
    "INSERT INTO identity_merge_log "
    "SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'merged', gen_random_uuid(), "
    "gen_random_uuid(), '{}', '{}', '{}', 0.9, '{}', 'm', 'p', 'resolve', 'automatic', now(), false "
    "FROM generate_series(1, %s) n"
)
ACTED = (
    "INSERT INTO steward_action (acted_at, actor, act, in_bulk, review_id, profiles, merge_log_ids, details, reason, "
    "request_id, api_key) VALUES "
    "('2026-01-01 12:00+00', 'ann', 'approve', true, %(review)s, %(both)s, %(one)s, '{}', 'cards', 'r', 'k'), "
    "('2026-01-02 12:00+00', 'ben', 'skip', false, %(review)s, %(both)s, '{}', '{\"until\": 1}', NULL, NULL, NULL)"
)


def filled(dsn: str) -> None:
    one, both = uuid.UUID(ONE), [uuid.UUID(ONE), uuid.UUID(TWO)]
    with psycopg.connect(dsn) as connection:
        connection.execute(MERGED, (MERGES,))
        connection.execute(ACTED, {"review": REVIEW, "both": both, "one": [one]})


def test_what_stewards_did_is_moved_and_the_merge_log_is_vouched_for(before: str) -> None:
    filled(before)
    query = (
        "SELECT acted_at, actor, act, in_bulk, review_id, profiles, merge_log_ids, details, reason, request_id, "
        "api_key FROM steward_action ORDER BY acted_at"
    )
    with closing(AuditLog(before)) as log:
        stood = log.rows(query)
        assert AUDIT in migrate(before)
        assert log.rows(query) == stood
        actions = [action for (action,) in log.rows("SELECT action FROM audit_entry ORDER BY entry_id")]
        assert actions[:4] == ["steward.approve", "steward.skip", "identity.decided", "identity.decided"]
        assert set(actions[4:]) == {"migration.applied"}
        assert len(actions) == 4 + len(migrating._migrations())
        log.chain()
        assert log.verify().findings == ()
        tamper(
            before,
            f"UPDATE identity_merge_log SET actor = 'ann' WHERE right(merge_log_id::text, 4) = '{MERGES}'",
        )
        found = log.verify().findings
        assert {f.breach for f in found} == {Breach.MERGE_LOG}


def test_a_house_without_either_begins_with_its_migrations(before: str) -> None:
    assert AUDIT in migrate(before)
    with closing(AuditLog(before)) as log:
        log.chain()
        assert log.verify().findings == ()
        assert {action for (action,) in log.rows("SELECT action FROM audit_entry")} == {"migration.applied"}


def test_a_migration_that_could_not_be_told_is_told_by_the_next_call(
    before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(migrating, "_tell", lambda dsn: None)
        migrate(before)
    with closing(AuditLog(before)) as log:
        assert log.rows("SELECT FROM audit_entry") == []
        assert migrate(before) == ()
        assert len(log.rows("SELECT FROM audit_entry")) == len(migrating._migrations())
