"""Stored events decided again on a real Postgres: what a shadow comes to, and what stands once it is activated."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.answer import Answer
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.joining import join_profiles
from pipeline.replay.build import Builder
from pipeline.unmerge.asked import Asked
from tests.integration.test_order import log
from tests.integration.test_unmerge import all_of_it
from tests.servers import TestStack, fresh_database
from tests.support.people import narrow, policy
from tests.support.pipeline import EventIn, StagesOnPostgres, event
from tests.support.reprocessing import Reprocessing, sound_stages
from tests.support.told import told

LIVE = replace(policy(), split_limit=1_000, version="live")
STRICT = replace(policy(), auto_merge=0.9999, review=0.3, split_limit=1_000, version="strict")
LOOSE = replace(policy(), auto_merge=0.5, review=0.2, split_limit=1_000, version="loose")
NARROW = replace(narrow(4, 2), split_limit=1_000, version="narrow")
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
    "activity": "SELECT record_id, first_seen, last_seen, sources FROM identity_record ORDER BY 1",
    "reviews": """SELECT q.kind, q.reason, q.confidence_score, q.scoring_details, low_record, high_record,
        (SELECT array_agg(record_id ORDER BY record_id)
        FROM identity_record WHERE profile_id IN (q.low_profile, q.high_profile)) AS of
        FROM review_queue q WHERE status = 'pending' ORDER BY low_record, high_record""",
    "evidence": """SELECT low, high, weight, confidence, levels, veto, model_version, policy_version
        FROM identity_evidence ORDER BY 1, 2""",
    "match keys": """SELECT key, record_kinds, person, record_id FROM match_key
        WHERE key NOT IN (SELECT key FROM worn_key WHERE step = 4) ORDER BY 1, 4""",
    "worn keys": "SELECT key, kind, step, lost, reason FROM worn_key ORDER BY 1",
    "shared identifiers": "SELECT * FROM shared_identifier ORDER BY 1, 2",
    "identifiers": "SELECT * FROM record_identifier ORDER BY 1, 2, 3",
    "products": "SELECT * FROM record_product ORDER BY 1, 2",
    "consent": "SELECT * FROM consent ORDER BY event_id, purpose, at, state",
    "events": """SELECT event_id, record_id, channel, order_amount, items, source,
        ARRAY(SELECT r FROM unnest(reasons) r WHERE r LIKE '%%:%%') FROM event ORDER BY 1""",
    "index": "SELECT event_id, record_id FROM event_index ORDER BY 1",
}
Standing = Mapping[str, list[tuple[object, ...]]]


def stands(stages: StagesOnPostgres) -> Standing:
    return {what: stages.rows(query) for what, query in WHAT_STANDS.items()}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    with sound_stages(database, LIVE) as opened:
        yield opened


@pytest.fixture
def replay(stages: StagesOnPostgres, database: str) -> Iterator[Reprocessing]:
    with closing(Reprocessing(stages, database)) as opened:
        yield opened


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


_RAW = {
    "event_id": "",
    "source": "web",
    "event_type": "page_view",
    "occurred_at": None,
    "accepted_at": datetime(2026, 1, 5, 10, tzinfo=UTC),
    "request_id": None,
    "correlation_id": None,
    "identifiers": {"cookie_id": ["c-99"]},
    "traits": {},
    "payload": None,
}
"""As the gateway sends it, which took it before the broker did; it names no id, and no time of its own."""


def test_the_same_logic_changes_nothing(stages: StagesOnPostgres, replay: Reprocessing) -> None:
    stages.send(*log(1), batch=30)
    stages.send({k: v for k, v in event(0, C).items() if k != "event_id"})
    stages.deliver(stages.normalized_bytes(stages.codec.encode("events.raw", _RAW)))
    assert stages.rows("SELECT count(*) FROM event WHERE accepted_at = %s", _RAW["accepted_at"]) == [(1,)]
    before = all_of_it(stages)
    found = replay.compare()
    assert found.is_none
    assert found.counts.untouched == found.counts.customers > 5
    done = replay.activate()
    assert set(done.published.values()) == {0}
    after = all_of_it(stages)
    assert len(after.pop("activation")) == 1
    (told,) = set(after.pop("audit_entry")) - set(before["audit_entry"])
    assert "replay.activated" in str(told)
    assert len(after.pop("audit_unchained")) == len(before["audit_unchained"]) + 1
    assert after == {name: rows for name, rows in before.items() if name in after}
    assert stages.rows("SELECT to_regnamespace('shadow')") == [(None,)]


@pytest.mark.parametrize(
    ("before", "rules"),
    [(LIVE, STRICT), (LIVE, LOOSE), (LIVE, NARROW), (NARROW, LIVE), (LIVE, RENAMED)],
    ids=["strict", "loose", "narrow", "wide", "renamed"],
)
def test_it_comes_to_what_a_house_that_never_knew_other_rules_has(
    stages: StagesOnPostgres,
    replay: Reprocessing,
    stack: TestStack,
    request: pytest.FixtureRequest,
    before: Policy,
    rules: Policy,
) -> None:
    events = log(1)
    stages.deploy(before)
    stages.send(*events[:85], batch=30)
    live, shape = versions(stages), stands(stages)
    stages.deploy(rules)
    found = replay.compare()
    assert not found.is_none
    same(stands(stages), shape)  # building and comparing leaves the live house alone
    stages.send(*events[85:], batch=9)
    done = replay.activate()
    with fresh(stack, request.getfixturevalue("_migrated"), rules, *events) as other:
        same(stands(stages), stands(other))
    again = [m for m in stages.outbox("events.linked") if "reprocessed" in m["reasons"]]  # type: ignore[operator]
    assert len(again) == done.published["events.linked"]
    assert bool(again) == (rules is RENAMED)
    records = {str(e): str(r) for e, r in stages.rows("SELECT event_id, record_id FROM event")}
    assert all(m["record_id"] == records[str(m["event_id"])] for m in again)
    now = versions(stages)
    gone = set(done.difference.gone)
    assert all(now[p] >= v for p, v in live.items() if p not in gone)
    untouched = (
        live.keys() - {p for c in done.difference.changes for p in c.before} - {*done.difference.altered}
    )
    assert untouched or rules is RENAMED


A, B, C = ({"email": f"{n}@mailbox.net"} for n in ("anna", "bert", "cleo"))
ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}
PHONE, CARD = {"phone": "+14155550101"}, {"loyalty_id": "L-7"}
APART = replace(policy(), auto_merge=0.9999999999, review=0.9, split_limit=1_000, version="apart")
NOBODY = replace(
    policy(),
    placeholder_phones=policy().placeholder_phones | {"4155550101", "+14155550101"},
    placeholders=policy().placeholders | {"+14155550101"},
    split_limit=1_000,
    version="nobody",
)
"""The phone number names nobody."""


def home_of(stages: StagesOnPostgres, number: int) -> Id:
    ((found,),) = stages.rows(
        "SELECT profile_id FROM event JOIN identity_record USING (record_id) WHERE event_id::text LIKE %s",
        f"%{number:012d}",
    )
    home: Id = found
    return home


def record_of(stages: StagesOnPostgres, number: int) -> Id | None:
    ((found,),) = stages.rows("SELECT record_id FROM event WHERE event_id::text LIKE %s", f"%{number:012d}")
    record: Id | None = found
    return record


def three(stages: StagesOnPostgres) -> None:
    """1 and 2 are one by 3; 4 is somebody else."""
    stages.send(event(1, A), event(4, CARD))
    stages.send(event(2, PHONE))
    stages.send(event(3, A | PHONE))


@pytest.mark.parametrize("rules", [LIVE, RENAMED], ids=lambda r: str(r.version))
def test_of_those_who_come_together_the_older_keeps_its_id_and_a_merge_can_be_undone(
    stages: StagesOnPostgres, replay: Reprocessing, rules: Policy
) -> None:
    stages.deploy(APART)
    three(stages)
    older, younger, third, other = (home_of(stages, n) for n in (1, 2, 3, 4))
    assert len({older, younger, third, other}) == 4
    stages.deploy(rules)
    done = replay.compare()
    (change,) = done.changes
    assert (change.kind, change.before, change.after) == ("merge", (older, younger, third), (older,))
    replay.activate(done.plan)
    assert {home_of(stages, n) for n in (1, 2, 3)} == {older}
    assert home_of(stages, 4) == other
    entries = stages.rows(
        "SELECT merge_log_id, kind, source_profile, target_profile, reason, actor, "
        "scoring_details ->> 'why', confidence_score > 0.8 FROM identity_merge_log ORDER BY source_profile"
    )
    assert [e[1:] for e in entries] == [
        ("merged", source, older, "reprocessed", "ann", "a better policy", True)
        for source in (younger, third)
    ]
    assert [m["kind"] for m in stages.outbox("identity.merges")] == ["merged", "merged"]
    undone = stages.rollback(entries[0][0])
    assert undone.merges[0].restored == younger == home_of(stages, 2)
    stages.send(event(5, PHONE | {"cookie_id": "c-1"}))
    assert home_of(stages, 5) in {older, younger}
    assert home_of(stages, 1) != home_of(stages, 2)


def test_of_one_who_comes_apart_the_part_with_the_oldest_record_keeps_the_id(
    stages: StagesOnPostgres, replay: Reprocessing
) -> None:
    three(stages)
    whole, other = home_of(stages, 1), home_of(stages, 4)
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log")
    stages.deploy(APART)
    found = replay.compare()
    (change,) = found.changes
    assert (change.kind, change.before, change.after[0], len(change.after)) == ("split", (whole,), whole, 3)
    replay.activate()
    assert home_of(stages, 1) == whole
    assert len({home_of(stages, n) for n in (1, 2, 3)}) == 3
    assert home_of(stages, 4) == other
    assert versions(stages)[other] == 1
    assert (
        len(stages.rows("SELECT FROM identity_merge_log WHERE kind = 'split' AND reason = 'reprocessed'"))
        == 2
    )
    assert stages.rows("SELECT rolled_back FROM identity_merge_log WHERE merge_log_id = %s", merge) == [
        (False,)
    ]
    with pytest.raises(Conflict, match="no longer stand together"):
        stages.rollback(merge)


def test_stewards_words_follow_records_whose_ids_change(
    stages: StagesOnPostgres, replay: Reprocessing, stack: TestStack, request: pytest.FixtureRequest
) -> None:
    three(stages)
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log")
    stages.rollback(merge)
    stages.send(
        event(6, C | {"loyalty_id": "L-1"}, traits=ANNA), event(7, C | {"loyalty_id": "L-2"}, traits=ANNA)
    )
    stages.answer(stages.review(), Answer.APPROVED)
    assert home_of(stages, 6) == home_of(stages, 7)
    before = [home_of(stages, n) for n in (1, 2, 3, 4, 6, 7)]
    words = stages.rows("SELECT kind, left_records, right_records FROM identity_constraint")
    stages.deploy(RENAMED)
    found = replay.compare()
    assert (found.changes, found.words) == ((), ())
    replay.activate()
    assert [home_of(stages, n) for n in (1, 2, 3, 4, 6, 7)] == before
    now = stages.rows("SELECT kind, left_records, right_records FROM identity_constraint")
    assert now != words
    standing = {r for (r,) in stages.rows("SELECT record_id FROM identity_record")}
    assert all(standing.issuperset((*left, *right)) for _, left, right in now)
    stages.send(event(8, A | PHONE | {"cookie_id": "c-8"}))
    assert home_of(stages, 1) != home_of(stages, 2)


@pytest.mark.parametrize("when", ["before", "while it is built", "once it is compared"])
def test_what_was_taken_back_stays_so_and_is_followed_all_the_same(
    stages: StagesOnPostgres, replay: Reprocessing, when: str
) -> None:
    three(stages)
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log")
    stages.rollback(merge)
    stages.send(
        event(6, C | {"loyalty_id": "L-1"}, traits=ANNA), event(7, C | {"loyalty_id": "L-2"}, traits=ANNA)
    )
    stages.answer(stages.review(), Answer.APPROVED)
    words = [c for (c,) in stages.rows("SELECT constraint_id FROM identity_constraint ORDER BY 1")]
    stages.deploy(RENAMED)
    if when != "before":
        replay.build()
    if when == "once it is compared":
        replay.compare()
    for word in words:
        stages.revoke(word)
    found = replay.compare()
    assert (found.changes, found.words) == ((), ())
    before = [home_of(stages, n) for n in (1, 2, 3, 4, 6, 7)]
    taken_back = (
        "SELECT constraint_id, revoked_at, revoked_by, revoke_reason FROM identity_constraint ORDER BY 1"
    )
    said = stages.rows(taken_back)
    assert all(row[1:] and row[2] == "steward" for row in said)
    replay.activate()
    assert [home_of(stages, n) for n in (1, 2, 3, 4, 6, 7)] == before
    assert home_of(stages, 1) == home_of(stages, 2)
    assert home_of(stages, 6) != home_of(stages, 7)
    assert stages.rows(taken_back) == said
    standing = {r for (r,) in stages.rows("SELECT record_id FROM identity_record")}
    named = stages.rows("SELECT left_records, right_records FROM identity_constraint")
    assert all(standing.issuperset((*left, *right)) for left, right in named)
    assert stages.review()


def test_a_word_about_nobody_that_was_taken_back_is_not_told(
    stages: StagesOnPostgres, replay: Reprocessing
) -> None:
    three(stages)
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log")
    stages.rollback(merge)
    ((word,),) = stages.rows("SELECT constraint_id FROM identity_constraint")
    stages.revoke(word)
    stages.deploy(NOBODY)
    assert replay.compare().words == ()


def test_profiles_that_were_joined_by_hand_are_one_afterwards(
    stages: StagesOnPostgres, replay: Reprocessing
) -> None:
    """Nothing but the steward's word leads from one to the other."""
    stages.send(event(1, A), event(2, PHONE), event(3, C | {"loyalty_id": "L-1"}))
    before = {home_of(stages, n) for n in (1, 2, 3)}
    assert len(before) == 3
    asked = Asked("ann", "one person", datetime.now(UTC))
    into = join_profiles(stages.stewardship(), sorted(before), asked).profile_id
    stages.deploy(RENAMED)
    found = replay.compare()
    assert (found.changes, found.words) == ((), ())
    replay.activate()
    assert {home_of(stages, n) for n in (1, 2, 3)} == {into}


def test_a_word_about_nobody_any_more_is_told(stages: StagesOnPostgres, replay: Reprocessing) -> None:
    three(stages)
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log")
    stages.rollback(merge)
    lost = record_of(stages, 2)
    stages.deploy(NOBODY)
    found = replay.compare()
    assert found.counts.gone == 1
    assert found.counts.events_lost == 1
    (word,) = found.words
    assert (word.followed.lost, word.followed.holds) == (frozenset((lost,)), False)
    gone = home_of(stages, 2)
    replay.activate()
    assert record_of(stages, 2) is None
    assert not stages.rows("SELECT FROM customer_profile WHERE profile_id = %s", gone)
    assert str(gone) not in told(stages)
    ((left, right),) = stages.rows("SELECT left_records, right_records FROM identity_constraint")
    assert lost in {*left, *right}


def test_what_came_before_keeps_its_records(stages: StagesOnPostgres, replay: Reprocessing) -> None:
    events = log(1)
    stages.send(*events[:60], batch=20)
    ((since,),) = stages.rows("SELECT max(accepted_at) + interval '1 millisecond' FROM event")
    while datetime.now(UTC) < since + timedelta(milliseconds=1):
        pass
    stages.send(*events[60:], batch=20)
    before: dict[Id, Id | None] = dict(stages.rows("SELECT event_id, record_id FROM event"))
    early = {e for (e,) in stages.rows("SELECT event_id FROM event WHERE accepted_at < %s", since)}
    stages.deploy(RENAMED)
    replay.build(since)
    found = replay.compare()
    assert (found.before, found.kept) == (len(early), ()) == (60, ())
    replay.activate()
    after: dict[Id, Id | None] = dict(stages.rows("SELECT event_id, record_id FROM event"))
    assert {e: after[e] for e in early} == {e: before[e] for e in early}
    assert any(after[e] != before[e] for e in before.keys() - early)


def test_what_cannot_be_made_anew_stands_as_it_is_and_is_told(
    stages: StagesOnPostgres, replay: Reprocessing
) -> None:
    three(stages)
    stages.send(event(5, C), event(6, C | {"cookie_id": "c-1"}), event(7, {"cookie_id": "c-2"}))
    stages.send(event(8, {"cookie_id": "c-3"}))
    forgotten, refused, bare = home_of(stages, 5), home_of(stages, 3), record_of(stages, 8)
    with stages.database.transaction() as tx:  # the person of 5 is forgotten, of 7 the raw event alone
        tx.connection.execute(
            """DELETE FROM data_key WHERE owner_id IN (
                   SELECT raw_id FROM event WHERE event_id::text LIKE '%5' OR event_id::text LIKE '%7'
                   UNION SELECT record_id FROM event WHERE event_id::text LIKE '%5')"""
        )
        tx.connection.execute(
            "DELETE FROM event WHERE event_id::text LIKE '%8'"
        )  # nothing but its id is left
    stages.settings = stages.settings.model_copy(update={"max_identifiers": 1})
    found = replay.compare()
    assert dict(found.kept) == {"data_key_missing": 2, "raw_event_missing": 1, "too_many_identifiers": 2}
    assert found.is_none
    replay.activate()
    assert home_of(stages, 5) == forgotten
    assert home_of(stages, 3) == refused == home_of(stages, 1)
    assert record_of(stages, 7) is not None
    assert stages.rows("SELECT FROM identity_record WHERE record_id = %s", bare)


def test_people_who_are_forgotten_after_the_build_do_not_come_back(
    stages: StagesOnPostgres, replay: Reprocessing
) -> None:
    three(stages)
    stages.deploy(RENAMED)
    replay.build()
    with stages.database.transaction() as tx:
        tx.connection.execute(
            "DELETE FROM data_key WHERE owner_id = (SELECT record_id FROM event WHERE event_id::text LIKE '%4')"
        )
    with pytest.raises(Conflict, match="forgotten since"):
        replay.activate()
    with replay.shadow.database.transaction() as tx:
        replay.shadow.drop(tx)


def test_what_is_asked_for_has_to_be_there_and_the_same(
    stages: StagesOnPostgres, replay: Reprocessing, database: str
) -> None:
    three(stages)
    with pytest.raises(NotFound, match="--from"):
        Builder(replay.shadow, replay.logic)
    replay.shadow.begin(replay.logic, None, datetime.now(UTC))
    replay.builder = Builder(replay.shadow, replay.logic)
    with pytest.raises(Conflict, match="not built to its end"):
        replay.activate()
    replay.builder.build()
    with pytest.raises(Conflict, match="from the beginning, not 2026"):
        replay.shadow.begin(replay.logic, datetime(2026, 1, 1, tzinfo=UTC), datetime.now(UTC))
    with pytest.raises(Conflict, match="rehearse it again"):
        replay.activate("0" * 16)
    stages.deploy(LOOSE)
    with pytest.raises(Conflict, match="policy live, not loose"):
        replay.activate()
    with stages.database.transaction() as tx:
        tx.connection.execute("CREATE SCHEMA mine")
    for name, error in (("public", BadInput), ("pg_x", BadInput), ("A b", BadInput), ("mine", Conflict)):
        with pytest.raises(error):
            Reprocessing(stages, database, name).build()
    with replay.shadow.database.transaction() as tx:
        replay.shadow.drop(tx)
    with replay.shadow.database.transaction() as tx, pytest.raises(NotFound):
        replay.shadow.drop(tx)


def test_what_comes_at_the_last_moment_is_in_it(
    stages: StagesOnPostgres, replay: Reprocessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages.deploy(APART)
    three(stages)
    stages.deploy(LIVE)
    replay.build()
    monkeypatch.setattr(
        Builder, "catch_up", lambda self: None
    )  # it is done, and this comes before the lock is had
    stages.send(event(5, C))
    stages.send(event(6, C | {"cookie_id": "c-1"}), event(7, CARD | {"cookie_id": "c-7"}))
    last = home_of(stages, 6)
    assert replay.activate().difference.counts.merged == 3
    assert home_of(stages, 5) == home_of(stages, 6) == last
    assert home_of(stages, 7) == home_of(stages, 4)


def test_what_nobody_outside_sees_is_set_right_without_a_version(
    stages: StagesOnPostgres, replay: Reprocessing
) -> None:
    stages.send(*log(1), batch=30)
    before = versions(stages)
    with stages.database.transaction() as tx:
        tx.connection.execute("UPDATE customer_profile SET contested = NOT contested WHERE NOT is_merged")
    shape = stages.rows(
        "SELECT profile_id, NOT contested FROM customer_profile WHERE NOT is_merged ORDER BY 1"
    )
    replay.compare()
    replay.activate()
    assert versions(stages) == before
    assert shape == stages.rows(
        "SELECT profile_id, contested FROM customer_profile WHERE NOT is_merged ORDER BY 1"
    )


def test_every_table_is_the_shadows_or_read_of_the_live_house(
    stages: StagesOnPostgres, replay: Reprocessing
) -> None:
    """A new table has to be thought of here."""
    three(stages)
    replay.build()
    tables = (
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p', 'v')"
        " AND NOT relispartition"
    )
    live = {name for (name,) in stages.rows(tables, "public")}
    ours = {name for (name,) in stages.rows(tables, "shadow")}
    assert {name for name in live - ours if not name.startswith(("_yoyo", "yoyo"))} == {
        "customer_raw_event",
        "consumer_position",
        "stored_configuration",
        "configuration_in_force",
        "dead_letter",
        "dead_letter_action",
        "stage_pause",
        "activation",
        "api_key",
        "webhook",
        "webhook_key",
        "webhook_delivery",
        "steward_action",
        "audit_entry",  # what a shadow comes to is no decision before it is activated
        "audit_unchained",
        "audit_chain",
        "profile_embedding",  # computed anew of what `embedding_due` names: whatever changes hands
        "embedding_due",
        "erasure",  # of what is no more
        "erased_profile",
        "kept_wear",
        "duplicate_event",
        "key_rotation",  # a shadow is hashed as records are found, and is not activated amid a rotation
        "rekeyed",
        "current_identifier",
        "retention_run",  # of what is no more
    }
    assert not stages.rows("SELECT FROM shadow.outbox")
