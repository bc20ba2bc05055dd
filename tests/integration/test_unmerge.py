"""Unmerging on a real Postgres: rehearsed, done as rehearsed, in a chain, in bulk, and records taken out."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from psycopg import sql

from pipeline.answer import Answer
from pipeline.codes import AUTOMATIC
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.store.database import Database
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.bulk import Chosen, plan_of_all, rollback_many
from pipeline.unmerge.outcome import Destination, Unmerged
from pipeline.unmerge.rollback import rollback_merge, rollback_merges
from pipeline.unmerge.taking_out import take_out
from pipeline.verify.verification import verify
from tests.integration.test_answers import RULES, doubt, home_of
from tests.servers import TestStack, fresh_database
from tests.support.people import model, ring
from tests.support.pipeline import StagesOnPostgres, event

NOW = datetime(2026, 2, 1, tzinfo=UTC)
MAIL, PHONE, CARD = {"email": "anna@mailbox.net"}, {"phone": "+14155550101"}, {"loyalty_id": "L-7"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    assert not verify(opened.database, ring(), model(), opened.rules).faults
    opened.close()


def record(stages: StagesOnPostgres, number: int) -> Id:
    ((found,),) = stages.rows("SELECT record_id FROM event WHERE event_id::text LIKE %s", f"%{number:012d}")
    of: Id = found
    return of


def merges(stages: StagesOnPostgres) -> list[Id]:
    return [
        m
        for (m,) in stages.rows(
            "SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged' ORDER BY decided_at, merge_log_id"
        )
    ]


def all_of_it(stages: StagesOnPostgres) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    names = [n for (n,) in stages.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    with stages.database.transaction() as tx:
        return {
            n: sorted(
                tx.connection.execute(
                    sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(n))
                ).fetchall()
            )
            for n in names
        }


def chain(stages: StagesOnPostgres) -> tuple[Id, Id]:
    """001 and 002 become one by 003; 004, that comes next, is one with them by 005. The two merges."""
    stages.send(event(1, MAIL))
    stages.send(event(2, PHONE))
    stages.send(event(3, MAIL | PHONE))
    stages.send(event(4, CARD))
    stages.send(event(5, MAIL | CARD))
    first, second = merges(stages)
    return first, second


def take(stages: StagesOnPostgres, *records: Id, profile: Id | None = None, **more: object) -> Unmerged:
    events = more.pop("events", ())
    assert isinstance(events, tuple)
    rehearse, plan = bool(more.get("rehearse")), more.get("plan")
    assert plan is None or isinstance(plan, str)
    asked = Asked("ann", "not theirs", NOW, rehearse, plan)
    return take_out(stages.stewardship(), profile or home_of(stages, 1), records, events, asked)


def test_a_rehearsal_says_what_would_move_and_changes_nothing(stages: StagesOnPostgres) -> None:
    stages.send(event(1, MAIL))
    stages.send(event(2, PHONE))
    younger = home_of(stages, 2)
    stages.send(event(3, MAIL | PHONE), event(4, PHONE))
    older, before = home_of(stages, 1), all_of_it(stages)
    told = stages.rollback(merges(stages)[0], rehearse=True)
    assert all_of_it(stages) == before
    (merge,), (move,) = told.merges, told.moves
    assert (merge.restored, merge.kept, merge.blocked) == (younger, older, None)
    assert (move.source, move.target, move.destination) == (older, younger, Destination.RESTORED)
    assert (move.records, move.events, move.identifiers) == ((record(stages, 2),), 2, 1)
    done = stages.rollback(merges(stages)[0])
    assert (done.moves, done.plan) == (told.moves, told.plan)
    assert (done.rehearsed, told.rehearsed) == (False, True)


def test_what_is_planned_is_done_or_nothing(stages: StagesOnPostgres) -> None:
    first, _ = chain(stages)
    by, why = stages.stewardship(), Asked("ann", "two people", NOW)
    plan = rollback_merge(by, first, replace(why, rehearse=True)).plan
    stages.send(event(6, PHONE | {"cookie_id": "c-6"}))  # goes with the phone's customer
    before = all_of_it(stages)
    with pytest.raises(Conflict, match="rehearse it again"):
        rollback_merge(by, first, replace(why, plan=plan))
    assert all_of_it(stages) == before
    plan = rollback_merge(by, first, replace(why, rehearse=True)).plan
    assert rollback_merge(by, first, replace(why, plan=plan)).merges[0].rollback_log_id
    assert home_of(stages, 6) == home_of(stages, 2) != home_of(stages, 1)


def test_the_old_merge_of_a_chain_whose_target_was_merged_away(stages: StagesOnPostgres) -> None:
    stages.send(event(1, CARD))
    stages.send(event(2, MAIL))
    stages.send(event(3, PHONE))
    oldest, target, source = (home_of(stages, n) for n in (1, 2, 3))
    stages.send(event(4, MAIL | PHONE))
    stages.send(event(5, CARD | MAIL))  # the target is merged away in turn
    first, second = merges(stages)
    assert {home_of(stages, n) for n in range(1, 6)} == {oldest}
    undone = stages.rollback(first)
    assert undone.merges[0].restored == source == home_of(stages, 3)
    assert home_of(stages, 1) == home_of(stages, 2) == oldest
    stages.rollback(second)
    assert (home_of(stages, 1), home_of(stages, 2), home_of(stages, 3)) == (oldest, target, source)


def test_merges_of_one_decision_are_undone_one_by_one_or_together(stages: StagesOnPostgres) -> None:
    for n, identifiers in enumerate((MAIL, PHONE, CARD), start=1):
        stages.send(event(n, identifiers))
    ids = [home_of(stages, n) for n in (1, 2, 3)]
    stages.send(event(4, MAIL | PHONE | CARD))
    one, other = merges(stages)
    by, why = stages.stewardship(), Asked("ann", "three people", NOW)
    alone = rollback_merges(by, [one], replace(why, rehearse=True))
    assert [len(m.records) for m in alone.moves] == [1]
    both = rollback_merges(by, [one, other], why)
    assert {m.restored for m in both.merges} == set(ids[1:])
    assert [home_of(stages, n) for n in (1, 2, 3)] == ids
    again = rollback_merges(by, [one, other], why)
    assert {m.blocked for m in again.merges} == {f"{m} was rolled back before" for m in (one, other)}


def test_what_cannot_be_undone_says_why_and_blocks_nothing_else(stages: StagesOnPostgres) -> None:
    first, second = chain(stages)
    take(stages, record(stages, 2))  # the first merge's records are apart by now
    by, why = stages.stewardship(), Asked("ann", "two people", NOW)
    with pytest.raises(Conflict, match="no longer stand together"):
        rollback_merge(by, first, why)
    ((split,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log WHERE kind = 'split'")
    mixed = rollback_merges(by, [split, first, second], why)
    assert [(m.merge_log_id, m.blocked) for m in mixed.merges if m.blocked] == [
        (split, f"{split} is a split entry: only merges are rolled back")
    ], "and the first is undone with the second, which could have brought it back"
    assert home_of(stages, 4) != home_of(stages, 1)
    again = rollback_merges(by, [first, second], why)
    assert all(m.blocked is not None and "rolled back before" in m.blocked for m in again.merges)
    with pytest.raises(NotFound):
        rollback_merges(by, [first, new_id()], why)


def test_what_came_apart_before_is_undone_by_no_entry_about_others(stages: StagesOnPostgres) -> None:
    first, second = chain(stages)
    take(stages, record(stages, 2))  # the first merge's records are apart by now
    others = {"email": "eve@mailbox.net"}, {"phone": "+14155550177"}
    for number, identifiers in enumerate((*others, others[0] | others[1]), start=6):
        stages.send(event(number, identifiers))
    (third,) = set(merges(stages)) - {first, second}
    by, why = stages.stewardship(), Asked("ann", "two people", NOW)

    def undone_by(*ids: Id) -> list[Id | None]:
        told = [m.rollback_log_id for m in rollback_merges(by, ids, why).merges]
        for merge, entry in zip(ids, told, strict=True):
            row = (True, entry)
            query = "SELECT rolled_back, rolled_back_by FROM identity_merge_log WHERE merge_log_id = %s"
            assert stages.rows(query, merge) == [row]
        return told

    alone, entry = undone_by(first, third)
    assert alone is None
    assert entry is not None


def test_what_came_apart_before_names_an_entry_about_its_profiles(stages: StagesOnPostgres) -> None:
    first, second = chain(stages)
    take(stages, record(stages, 2))
    done = rollback_merges(stages.stewardship(), [first, second], Asked("ann", "two people", NOW))
    entries = {m.rollback_log_id for m in done.merges}
    assert len(entries) == 1
    assert None not in entries


def test_many_are_chosen_by_time_and_version_and_undone_as_planned(stages: StagesOnPostgres) -> None:
    stages.answer(doubt(stages), Answer.APPROVED)
    for n in (100, 200, 300):
        mail, phone = {"email": f"p{n}@mailbox.net"}, {"phone": f"+14155550{n}"}
        stages.send(event(n, mail))
        stages.send(event(n + 1, phone))
        stages.send(event(n + 2, mail | phone))
    by, why = stages.stewardship(), Asked("ann", "a bad deploy", NOW)
    dry = replace(why, rehearse=True)
    standing = stages.rows("SELECT merge_log_id, decided_at, policy_version, reason FROM identity_merge_log")
    automatic = {m for m, _, _, reason in standing if reason == AUTOMATIC}
    (policy,) = {p for _, _, p, _ in standing}
    assert len(automatic) == len(standing) - 1 == 3  # the other one is a steward's
    for chosen, expected in (
        (Chosen(policy_version=policy), automatic),
        (Chosen(policy_version="another"), set()),
        (Chosen(since=datetime.now(UTC) + timedelta(hours=1)), set()),
        (Chosen(until=max(at for _, at, _, reason in standing if reason == AUTOMATIC)), None),
        (Chosen(actor="steward"), {m for m, *_ in standing} - automatic),
    ):
        found = {m.merge_log_id for one in rollback_many(by, chosen, dry) for m in one.merges}
        assert found == expected if expected is not None else len(found) == 2
    chosen = Chosen(policy_version=policy)
    rehearsed = rollback_many(by, chosen, dry)
    assert len(rehearsed) == 3
    with pytest.raises(Conflict):
        rollback_many(by, chosen, replace(why, plan="0" * 16))
    done = rollback_many(by, chosen, replace(why, plan=plan_of_all(rehearsed)))
    assert {m.merge_log_id for one in done for m in one.merges if m.blocked is None} == automatic
    assert all(home_of(stages, n) != home_of(stages, n + 1) for n in (100, 200, 300))
    assert not rollback_many(by, chosen, dry)


def test_a_group_that_came_to_mean_something_else_is_left_alone(
    stages: StagesOnPostgres,
) -> None:
    chain(stages)
    by, why = stages.stewardship(), Asked("ann", "a bad deploy", NOW)
    dry = replace(why, rehearse=True)
    plan = plan_of_all(rollback_many(by, Chosen(since=NOW - timedelta(days=1000)), dry))

    def between(done: int, of: int) -> None:
        if done == 1:  # rehearsed again, not undone yet
            stages.send(event(6, PHONE | {"cookie_id": "c-6"}))

    (one,) = rollback_many(by, Chosen(since=NOW - timedelta(days=1000)), replace(why, plan=plan), between)
    assert all("rehearse it again" in str(m.blocked) for m in one.merges)
    assert not stages.rows("SELECT FROM identity_merge_log WHERE rolled_back")
    assert home_of(stages, 1) == home_of(stages, 2)


def test_records_are_taken_out_and_do_not_come_back(stages: StagesOnPostgres) -> None:
    chain(stages)
    kept = home_of(stages, 1)
    told = take(stages, record(stages, 2), rehearse=True)
    (move,) = told.moves
    assert take(stages, record(stages, 2), record(stages, 3), rehearse=True).plan != told.plan
    assert (move.source, move.destination, move.events) == (kept, Destination.NEW, 1)
    take(stages, record(stages, 2), plan=told.plan)
    apart = home_of(stages, 2)
    assert apart != kept == home_of(stages, 1)
    stages.send(event(6, PHONE), event(7, MAIL), event(8, MAIL | PHONE | CARD))
    assert (home_of(stages, 6), home_of(stages, 7)) == (apart, kept)
    ((kind, actor, reason),) = stages.rows(
        "SELECT kind, actor, reason FROM identity_merge_log WHERE kind <> 'merged'"
    )
    assert (kind, actor, reason) == ("split", "ann", "not theirs")


def test_the_rest_keeps_the_id_even_where_the_oldest_record_is_taken_out(stages: StagesOnPostgres) -> None:
    chain(stages)
    kept = home_of(stages, 1)
    oldest = Id(uuid.UUID("00000000-0000-4000-8000-000000000001").bytes)
    take(stages, events=(oldest,))
    assert home_of(stages, 1) != kept == home_of(stages, 2) == home_of(stages, 4)


def test_what_cannot_be_taken_out_names_the_field(stages: StagesOnPostgres) -> None:
    first, _ = chain(stages)
    every = [record(stages, n) for n in range(1, 6)]
    source = stages.rollback(first).merges[0].restored
    assert source is not None
    for records, match in (((), "none is named"), (tuple(every), "not of this profile")):
        with pytest.raises(BadInput, match=f"records: .*{match}"):
            take(stages, *records)
    with pytest.raises(BadInput, match=r"events: .* not of this profile"):
        take(stages, events=(new_id(),))
    with pytest.raises(BadInput, match="nothing would be left"):
        take(stages, every[1], profile=source)
    with pytest.raises(NotFound):
        take(stages, every[0], profile=new_id())
    ((gone, into),) = stages.rows("SELECT profile_id, merged_into FROM customer_profile WHERE is_merged")
    with pytest.raises(Conflict, match=str(into)):
        take(stages, every[0], profile=gone)


@pytest.fixture
def another(stack: TestStack, _migrated: str) -> Iterator[str]:
    name = f"rb_test_{uuid.uuid4().hex[:12]}"
    with fresh_database(stack.postgres_dsn, name, template=_migrated) as dsn:
        yield dsn


def test_a_stream_with_merges_undone_ends_as_one_that_never_made_them(
    stages: StagesOnPostgres, another: str
) -> None:
    draw, sent = Random(5), []
    for number in range(1, 61):
        kinds = draw.sample(("email", "phone", "loyalty_id"), draw.choice((1, 2, 2)))
        person = draw.randrange(12)
        values = {
            "email": f"p{person}@mailbox.net",
            "phone": f"+141555501{person:02d}",
            "loyalty_id": f"L-{person}",
        }
        stranger = draw.random() < 0.3
        sent.append(
            event(
                number,
                {k: values[k] for k in kinds}
                | ({"email": f"p{draw.randrange(12)}@mailbox.net"} if stranger else {}),
            )
        )
        stages.send(sent[-1])
        standing = [
            m
            for (m,) in stages.rows(
                "SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged' AND NOT rolled_back"
            )
        ]
        if standing and draw.random() < 0.3:
            rollback_merges(
                stages.stewardship(), [draw.choice(sorted(standing))], Asked("ann", "two people", NOW)
            )
    constraints = stages.rows("SELECT kind, left_records, right_records FROM identity_constraint")
    assert len(constraints) > 4
    other = StagesOnPostgres(another, rules=RULES)
    _forbid(other.database, constraints)
    other.send(*sent, batch=7)
    assert other.profiles() == stages.profiles()
    for query in (
        "SELECT r.record_id, w.attribute, w.winner FROM identity_record r JOIN customer_profile USING (profile_id), "
        "jsonb_each_text(golden) w(attribute, winner) ORDER BY 1, 2",
        "SELECT low, high, weight FROM identity_evidence ORDER BY 1, 2",
        "SELECT kind, low_record, high_record, reason FROM review_queue WHERE status = 'pending' ORDER BY 2, 3",
    ):
        assert other.rows(query) == stages.rows(query)
    other.close()


def _forbid(database: Database, constraints: list[tuple[object, ...]]) -> None:
    with database.transaction() as tx:
        for kind, left, right in constraints:
            tx.run(
                "insert_constraint",
                {
                    "constraint_id": new_id(),
                    "kind": kind,
                    "left": left,
                    "right": right,
                    "actor": "ann",
                    "reason": "two people",
                    "now": NOW,
                    "review_id": None,
                },
            )
