"""Whatever decided is kept by version before it decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pipeline.errors import NotFound
from pipeline.resolve_stage import ResolveStage
from pipeline.store.configurations import Configurations, InForce
from pipeline.store.database import Database
from tests.support.people import model, policy, ring
from tests.support.pipeline import StagesOnPostgres, event

USED = """
SELECT 'model', model_version FROM identity_evidence
UNION SELECT 'policy', policy_version FROM identity_evidence
UNION SELECT 'model', model_version FROM identity_merge_log
UNION SELECT 'policy', policy_version FROM identity_merge_log
UNION SELECT 'model', model_version FROM review_queue UNION SELECT 'policy', policy_version FROM review_queue
"""


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database)
    yield opened
    opened.close()


def test_every_version_that_decided_can_be_read_again(stages: StagesOnPostgres) -> None:
    anna = {"first_name": "Anna", "last_name": "Kowalski"}
    stages.send(event(1, {"email": "anna@mailbox.net"}, traits=anna))
    stages.send(event(2, {"phone": "+14155550101"}))
    later = replace(model(), version="later", prior=model().prior + 1)
    stages.resolve = ResolveStage(stages.settings, stages.database, ring(), stages.codec, later, policy())
    stages.send(event(3, {"email": "anna@mailbox.net", "phone": "+1 415 555 0101"}))
    stages.send(event(4, {"loyalty_id": "L-1", "email": "anna@mailbox.net"}, traits=anna))
    stages.send(event(5, {"loyalty_id": "L-2", "email": "anna@mailbox.net"}, traits=anna))
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged' LIMIT 1")
    stages.rollback(merge)  # by the model it was told of, which is not the one that merged
    used = stages.rows(USED)
    assert {v for kind, v in used if kind == "model"} == {"later", model().version}
    kept = Configurations()
    with stages.database.transaction() as tx:
        for kind, version in used:
            read = kept.model(tx, version) if kind == "model" else kept.policy(tx, version)
            assert read.version == version
        assert kept.model(tx, "later").prior == later.prior
        with pytest.raises(NotFound, match="not stored"):
            kept.model(tx, "never")


def test_what_is_stored_stays_as_it_is(stages: StagesOnPostgres) -> None:
    stages.send(event(1, {"email": "anna@mailbox.net"}))
    for change in (
        "UPDATE stored_configuration SET content = ''",
        "DELETE FROM stored_configuration",
        "TRUNCATE stored_configuration",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match="immutable"):
            stages.rows(change)


def test_what_was_in_force_when_is_told_by_its_last_change(database: str) -> None:
    with Database(database, "test") as opened:
        before = datetime.now(UTC)
        for version in ("one", "one", "two"):
            InForce("resolve", replace(model(), version=version), policy()).ensure(opened)
        with opened.transaction() as tx:
            since = tx.connection.execute(
                "SELECT model_version, since FROM configuration_in_force ORDER BY since"
            ).fetchall()
            assert [version for version, _ in since] == ["one", "two"]
            changed = since[1][1]

            def at(moment: datetime) -> str:
                row = tx.row("in_force", {"stage": "resolve", "at": moment})
                assert row is not None
                return str(row[0])

            assert at(changed - timedelta(microseconds=1)) == "one"
            assert at(changed) == at(changed + timedelta(days=1)) == "two"
            assert at(before) == "one"  # nothing was written down before: the first is the best guess
