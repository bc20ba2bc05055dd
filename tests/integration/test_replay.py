"""Stored events decided again on a real Postgres: what a shadow comes to, and what stands once it is activated."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pipeline.identity.ids import Id
from pipeline.identity.model import MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.verify.verification import verify
from tests.integration.test_order import log
from tests.integration.test_unmerge import all_of_it
from tests.servers import TestStack, fresh_database
from tests.support.people import model, policy, ring
from tests.support.pipeline import EventIn, StagesOnPostgres
from tests.support.reprocessing import Reprocessing
from tests.support.told import is_told

STRICT = replace(policy(), auto_merge=0.9999, review=0.3, split_limit=1_000, version="strict")
LOOSE = replace(policy(), auto_merge=0.5, review=0.2, split_limit=1_000, version="loose")
NARROW = replace(
    policy(),
    block_caps={**policy().block_caps, MatchKeyKind.NAMES: 4, MatchKeyKind.IDENTIFIER: 9},
    split_limit=1_000,
    version="narrow",
)
RENAMED = replace(
    policy(),
    domain_aliases={**policy().domain_aliases, "mailbox.net": "postbox.net"},
    placeholders=policy().placeholders | {"c-3-0", "c-7-1", "kowalski"},
    split_limit=1_000,
    version="renamed",
)
"""Every e-mail address has another canonical form, and with it every record that holds one another id."""

WHAT_STANDS = {
    "customers": "SELECT array_agg(record_id ORDER BY record_id) FROM identity_record GROUP BY profile_id ORDER BY 1",
    "golden records": """SELECT r.record_id, golden, contested, held
        FROM identity_record r JOIN customer_profile USING (profile_id) ORDER BY 1""",
    "activity": "SELECT record_id, hash_key_version, first_seen, last_seen, sources FROM identity_record ORDER BY 1",
    "reviews": """SELECT q.kind, q.reason, q.confidence_score, q.scoring_details, low_record, high_record,
        (SELECT array_agg(record_id ORDER BY record_id)
        FROM identity_record WHERE profile_id IN (q.low_profile, q.high_profile)) AS of
        FROM review_queue q WHERE status = 'pending' ORDER BY low_record, high_record""",
    "evidence": """SELECT low, high, weight, confidence, levels, veto, via, model_version, policy_version
        FROM identity_evidence ORDER BY 1, 2""",
    "match keys": "SELECT key, record_kinds, person, record_id FROM match_key ORDER BY 1, 4",
    "worn keys": "SELECT key, kind, step, lost, people, reason FROM worn_key ORDER BY 1",
    "shared identifiers": "SELECT * FROM shared_identifier ORDER BY 1, 2",
    "identifiers": "SELECT * FROM record_identifier ORDER BY 1, 2, 3",
    "products": "SELECT * FROM record_product ORDER BY 1, 2",
    "events": """SELECT event_id, record_id, channel, order_amount, items, source,
        ARRAY(SELECT r FROM unnest(reasons) r WHERE r LIKE '%%:%%') FROM event ORDER BY 1""",
    "index": "SELECT event_id, record_id FROM event_index ORDER BY 1",
}
Standing = Mapping[str, list[tuple[object, ...]]]


def stands(stages: StagesOnPostgres) -> Standing:
    return {what: stages.rows(query) for what, query in WHAT_STANDS.items()}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=replace(policy(), split_limit=1_000, version="live"))
    yield opened
    assert [f.as_dict() for f in verify(opened.database, ring(), model(), opened.rules).faults] == []
    is_told(opened)
    opened.close()


@pytest.fixture
def replay(stages: StagesOnPostgres, database: str) -> Iterator[Reprocessing]:
    opened = Reprocessing(stages, database)
    yield opened
    opened.close()


@contextmanager
def fresh(
    stack: TestStack, template: str, rules: Policy, *events: EventIn, batch: int = 30
) -> Iterator[StagesOnPostgres]:
    """A house that never knew other rules."""
    with fresh_database(stack.postgres_dsn, f"rb_test_{uuid.uuid4().hex[:12]}", template=template) as dsn:
        other = StagesOnPostgres(dsn, rules=rules)
        other.send(*events, batch=batch)
        yield other
        other.close()


def versions(stages: StagesOnPostgres) -> dict[Id, int]:
    return dict(stages.rows("SELECT profile_id, version FROM customer_profile"))


def same(found: Standing, expected: Standing) -> None:
    for what, rows in expected.items():
        assert found[what] == rows, what


def test_the_same_logic_changes_nothing(stages: StagesOnPostgres, replay: Reprocessing) -> None:
    stages.send(*log(1), batch=30)
    before = all_of_it(stages)
    found = replay.compare()
    assert found.is_none
    assert found.counts.untouched == found.counts.customers > 5
    done = replay.activate()
    assert set(done.published.values()) == {0}
    after = all_of_it(stages)
    assert len(after.pop("activation")) == 1
    assert after == {name: rows for name, rows in before.items() if name != "activation"}
    assert stages.rows("SELECT to_regnamespace('shadow')") == [(None,)]


@pytest.mark.parametrize("rules", [STRICT, LOOSE, NARROW, RENAMED], ids=lambda r: str(r.version))
def test_it_comes_to_what_a_house_that_never_knew_other_rules_has(
    stages: StagesOnPostgres,
    replay: Reprocessing,
    stack: TestStack,
    request: pytest.FixtureRequest,
    rules: Policy,
) -> None:
    events = log(1)
    stages.send(*events[:70], batch=30)
    live, shape = versions(stages), stands(stages)
    stages.deploy(rules)
    found = replay.compare()
    assert not found.is_none
    same(stands(stages), shape)  # building and comparing leaves the live house alone
    stages.send(*events[70:], batch=9)
    done = replay.activate()
    with fresh(stack, request.getfixturevalue("_migrated"), rules, *events) as other:
        same(stands(stages), stands(other))
    assert done.published["profiles.updates"] > 0
    now = versions(stages)
    gone = set(done.difference.gone)
    assert all(now[p] >= v for p, v in live.items() if p not in gone)
    untouched = (
        live.keys() - {p for c in done.difference.changes for p in c.before} - {*done.difference.altered}
    )
    assert untouched or rules is RENAMED
