"""The resolve stage on a real Postgres: decisions, deduplication, fencing, messages, rollback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage, Conflict, NotFound, PositionFenced
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from tests.support.pipeline import StagesOnPostgres, event

ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}
JOHN = {"first_name": "John", "last_name": "Smith", "date_of_birth": "1991-07-15"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database)
    yield opened
    opened.close()


def the_merge(stages: StagesOnPostgres) -> Id:
    rows = stages.rows("SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged'")
    assert len(rows) == 1
    found: Id = rows[0][0]
    return found


def bridge(stages: StagesOnPostgres) -> None:
    """Two customers by e-mail and by phone, and an event that shows them to be one."""
    stages.send(event(1, {"email": "anna@mailbox.net"}))
    stages.send(event(2, {"phone": "+14155550101"}))
    assert stages.profiles() == {frozenset({"001"}), frozenset({"002"})}
    stages.send(event(3, {"email": "anna@mailbox.net", "phone": "+1 415 555 0101"}))


def test_a_new_customer_is_created_and_a_known_record_linked(stages: StagesOnPostgres) -> None:
    stages.send(event(1, {"email": "anna@mailbox.net"}, traits=ANNA))
    stages.send(event(2, {"email": "Anna@Mailbox.net"}, traits=ANNA))
    assert stages.profiles() == {frozenset({"001", "002"})}
    assert [r[0] for r in stages.rows("SELECT decision FROM event ORDER BY event_id")] == [
        "created",
        "linked",
    ]
    assert [m["decision"] for m in stages.outbox("events.linked")] == ["created", "linked"]


def test_two_new_records_of_one_batch_meet(stages: StagesOnPostgres) -> None:
    stages.send(
        event(1, {"email": "anna@mailbox.net"}, traits=ANNA), event(2, {"cookie_id": "c-1"}, traits=ANNA)
    )
    assert stages.profiles() == {frozenset({"001", "002"})}


def test_a_bridging_event_merges_and_the_older_profile_survives(stages: StagesOnPostgres) -> None:
    bridge(stages)
    assert stages.profiles() == {frozenset({"001", "002", "003"})}
    rows = stages.rows("SELECT profile_id, is_merged, merged_into FROM customer_profile ORDER BY profile_id")
    (older, gone, into), (younger, merged, target) = rows
    assert (gone, into, merged, target) == (False, None, True, older)
    (merge,) = stages.outbox("identity.merges")
    assert (merge["profile_id"], merge["source_profile_id"]) == (str(older), str(younger))


def test_the_merge_log_holds_both_snapshots_and_the_evidence(stages: StagesOnPostgres) -> None:
    bridge(stages)
    ((source, target, details),) = stages.rows(
        "SELECT source_snapshot, target_snapshot, scoring_details FROM identity_merge_log"
    )
    assert len(source["records"]) == len(target["records"]) == 1
    assert source["identifiers"][0][0] == "phone"
    assert target["identifiers"][0][0] == "email"
    assert details["evidence"][0]["levels"]


def test_versions_have_no_gaps_and_every_version_is_published_once(stages: StagesOnPostgres) -> None:
    bridge(stages)
    stages.send(event(4, {"email": "anna@mailbox.net", "cookie_id": "c-9"}))
    stages.rollback(the_merge(stages))
    seen: dict[object, list[object]] = {}
    for state in stages.outbox("profiles.updates"):
        seen.setdefault(state["profile_id"], []).append(state["version"])
    stored = dict(stages.rows("SELECT profile_id::text, version FROM customer_profile"))
    assert seen == {p: list(range(1, v + 1)) for p, v in stored.items()}


def test_an_event_sent_again_changes_nothing(stages: StagesOnPostgres) -> None:
    bridge(stages)
    tables = ("event", "identity_record", "customer_profile", "identity_merge_log", "outbox")
    counts = {t: stages.rows(f"SELECT count(*) FROM {t}") for t in tables}
    stages.send(
        event(3, {"email": "anna@mailbox.net", "phone": "+1 415 555 0101"}),
        event(1, {"email": "else@mailbox.net"}),
    )
    assert {t: stages.rows(f"SELECT count(*) FROM {t}") for t in tables} == counts


def test_a_batch_from_a_position_that_is_not_stored_is_fenced(stages: StagesOnPostgres) -> None:
    stages.send(event(1, {"email": "anna@mailbox.net"}))
    values = [o.value for o in stages.publisher.log if o.value is not None]
    messages = [stages._message("events.normalized", None, v) for v in values]
    batch = stages.batch("resolve", messages)
    stages.resolve.handle(batch)
    with pytest.raises(PositionFenced):
        stages.resolve.handle(batch)


@pytest.mark.parametrize("year", [1999, 9999])
def test_no_message_makes_a_partition_far_from_now(stages: StagesOnPostgres, year: int) -> None:
    (value,) = stages.normalized(event(1, {"email": "anna@mailbox.net"}))
    fields = dict(stages.codec.decode("events.normalized", value))
    strange = stages.codec.encode(
        "events.normalized", {**fields, "accepted_at": datetime(year, 1, 1, tzinfo=UTC)}
    )
    tables = stages.rows("SELECT count(*) FROM pg_class WHERE relkind = 'r'")
    with pytest.raises(BadMessage, match="accepted_at: neither before 2000 nor more than a day ahead"):
        stages.deliver([strange])
    assert stages.rows("SELECT count(*) FROM pg_class WHERE relkind = 'r'") == tables
    stages.deliver([value])


def test_an_event_that_names_nobody_is_kept_without_a_profile(stages: StagesOnPostgres) -> None:
    stages.send(event(1, {"phone": "0000000000"}, traits={"city": "Berlin"}))
    ((decision, reasons, record),) = stages.rows("SELECT decision, reasons, record_id FROM event")
    assert (decision, record) == ("rejected", None)
    assert "no_identity" in reasons
    assert "identifiers.phone:placeholder" in reasons
    assert stages.rows("SELECT count(*) FROM customer_profile") == [(0,)]


def test_exclusive_identifiers_send_a_pair_to_review(stages: StagesOnPostgres) -> None:
    stages.send(event(1, {"loyalty_id": "L-1001", "email": "anna@mailbox.net"}, traits=ANNA))
    stages.send(event(2, {"loyalty_id": "L-2002", "email": "anna@mailbox.net"}, traits=ANNA))
    assert stages.profiles() == {frozenset({"001"}), frozenset({"002"})}
    assert stages.rows("SELECT status, reason FROM review_queue") == [
        ("pending", "veto_exclusive_identifier")
    ]
    (item,) = stages.outbox("identity.reviews")
    assert item["status"] == "pending"


def test_raw_events_refuse_to_be_changed(stages: StagesOnPostgres) -> None:
    stages.send(event(1, {"email": "anna@mailbox.net"}))
    for change in (
        "UPDATE customer_raw_event SET topic = 'x'",
        "DELETE FROM customer_raw_event",
        "TRUNCATE customer_raw_event",
        "UPDATE event SET source = 'x'",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match="immutable"):
            stages.rows(change)


def test_an_event_whose_data_key_was_destroyed_is_refused_by_reason(stages: StagesOnPostgres) -> None:
    values = stages.normalized(event(1, {"email": "anna@mailbox.net"}))
    stages.rows("DELETE FROM data_key RETURNING 1")
    with pytest.raises(BadMessage) as refused:
        stages.deliver(values)
    assert refused.value.reason is ReasonCode.DATA_KEY_MISSING
    assert stages.rows("SELECT count(*) FROM event_index") == [(0,)]


def test_no_plaintext_is_stored(stages: StagesOnPostgres) -> None:
    stages.send(event(1, {"email": "anna.marker@mailbox.net", "phone": "+14155550101"}, traits=ANNA))
    tables = [r[0] for r in stages.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    text = " ".join(str(stages.rows(f"SELECT t::text FROM {t} t")) for t in tables).lower()
    # long enough that no hash holds one of them by chance
    plain = ("anna.marker", "4155550101", "kowalski", "1980-01-02", "19800102")
    assert not [m for m in (*plain, *(p.encode().hex() for p in plain)) if m in text]


# ── rollback ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rollback_gives_the_source_its_id_and_its_events_back(stages: StagesOnPostgres) -> None:
    bridge(stages)
    merge = the_merge(stages)
    younger = stages.rows("SELECT source_profile FROM identity_merge_log")[0][0]
    result = stages.rollback(merge)
    assert result.merges[0].restored == younger
    parts = stages.profiles()
    assert len(parts) == 2
    assert not any({"001", "002"} <= part for part in parts)
    assert stages.rows("SELECT is_merged FROM customer_profile") == [(False,), (False,)]
    assert stages.rows("SELECT rolled_back FROM identity_merge_log WHERE kind = 'merged'") == [(True,)]
    assert stages.outbox("profiles.updates")[-1]["change"] == "rolled_back"


def test_events_after_the_merge_go_with_their_own_record(stages: StagesOnPostgres) -> None:
    bridge(stages)
    stages.send(event(4, {"email": "anna@mailbox.net"}), event(5, {"phone": "+14155550101"}))
    stages.rollback(the_merge(stages))
    parts = stages.profiles()
    assert any({"001", "004"} <= p for p in parts)
    assert any({"002", "005"} <= p for p in parts)
    assert len(parts) == 2


def test_what_was_rolled_back_is_not_merged_again_by_the_next_event(stages: StagesOnPostgres) -> None:
    bridge(stages)
    stages.rollback(the_merge(stages))
    stages.send(event(6, {"email": "anna@mailbox.net", "phone": "+14155550101", "cookie_id": "c-5"}))
    assert not any({"001", "002"} <= part for part in stages.profiles())


def test_a_merge_is_rolled_back_once_and_only_if_it_exists(stages: StagesOnPostgres) -> None:
    bridge(stages)
    merge = the_merge(stages)
    stages.rollback(merge)
    with pytest.raises(Conflict, match="rolled back before"):
        stages.rollback(merge)
    with pytest.raises(NotFound):
        stages.rollback(new_id())


def test_an_old_merge_of_a_chain_is_undone(stages: StagesOnPostgres) -> None:
    bridge(stages)
    first = the_merge(stages)
    stages.send(event(7, {"loyalty_id": "L-7"}))
    stages.send(event(8, {"loyalty_id": "L-7", "email": "anna@mailbox.net"}))
    assert len(stages.profiles()) == 1
    stages.rollback(first)
    parts = stages.profiles()
    assert len(parts) == 2
    assert any({"001", "007", "008"} <= part and "002" not in part for part in parts)


# ── golden records ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_golden_record_follows_the_latest_statement(stages: StagesOnPostgres) -> None:
    berlin = event(1, {"email": "john@mailbox.net"}, traits=JOHN | {"city": "Berlin"})
    munich = event(2, {"email": "john@mailbox.net"}, traits=JOHN | {"city": "Munich"})
    stages.send(berlin)
    stages.send(munich)
    ((by_event,),) = stages.rows("SELECT record_id FROM event WHERE event_id::text LIKE '%%002'")
    ((golden,),) = stages.rows("SELECT golden FROM customer_profile")
    assert golden["city"] == str(by_event)
    stages.send(event(3, {"email": "john@mailbox.net"}, traits=JOHN | {"city": "Berlin"}))
    ((home,),) = stages.rows("SELECT record_id FROM event WHERE event_id::text LIKE '%%001'")
    ((golden, version),) = stages.rows("SELECT golden, version FROM customer_profile")
    assert golden["city"] == str(home)
    assert version == 3


def test_what_was_bought_is_stored_as_a_list(stages: StagesOnPostgres) -> None:
    bought = [{"sku": "sku-1", "quantity": 2, "price": 5}, {"sku": "sku-2", "quantity": 1, "price": None}]
    stages.send(
        event(1, {"email": "anna@mailbox.net"}, payload={"items": bought}), event(2, payload={"items": []})
    )
    assert stages.rows("SELECT items FROM event ORDER BY event_id") == [(bought,), (None,)]
