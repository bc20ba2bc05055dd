"""`verify` on a real Postgres: clean after everything that can happen to customers, and not blind to a fault."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from demo.stream import events
from pipeline.verify.fault import FaultKind
from pipeline.verify.verification import Verification, verify
from tests.support.people import model, policy, ring
from tests.support.pipeline import EventIn, StagesOnPostgres, event

ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}
BO = {"first_name": "Bo", "last_name": "Lindqvist"}
NAMES = (
    "Ada", "Bo", "Cem", "Dana", "Eli", "Fay", "Gus", "Hana", "Ivo", "Jo", "Kai", "Lea",
    "Max", "Nia", "Olu", "Pia", "Quin", "Rosa", "Sam", "Tom", "Uma", "Vic", "Wes", "Zoe",
)  # fmt: skip
ORDER = {"order_id": "o-1", "amount": 9.0, "currency": "EUR", "items": [{"sku": "TEA", "quantity": 1}]}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database)
    yield opened
    opened.close()


def verified(stages: StagesOnPostgres) -> Verification:
    return verify(stages.database, ring(), model(), policy())


def kinds(stages: StagesOnPostgres) -> set[FaultKind]:
    return {fault.kind for fault in verified(stages).faults}


def small_house(stages: StagesOnPostgres) -> None:
    """Anna, known by several records of which two merge late; a pair in review; somebody else."""
    stages.send(
        event(1, {"email": "anna@mailbox.net"}, traits=ANNA),
        event(2, {"phone": "+14155550101"}),
        event(3, {"loyalty_id": "L-1001", "email": "bo@mailbox.net"}, traits=BO),
        event(4, {"loyalty_id": "L-2002", "email": "bo@mailbox.net"}, traits=BO),
        event(5, {"cookie_id": "c-1"}, payload=ORDER),
    )
    stages.send(event(6, {"email": "anna@mailbox.net", "phone": "+14155550101"}))


def damage(stages: StagesOnPostgres, statement: str) -> None:
    """A statement that no part of the house would run."""
    with stages.database.transaction() as tx:
        tx.connection.execute(statement)  # type: ignore[call-overload]


def late_bridges() -> list[EventIn]:
    """Customers of whom each identifier is seen alone before two are seen together; some share a phone."""
    draw = random.Random(5)
    alone, together = [], []
    for customer in range(24):
        values = {
            "email": f"customer{customer}@mailbox.net",
            "phone": f"+14155550{100 + customer // 2 if customer < 8 else 200 + customer}",
            "cookie_id": f"cookie-{customer}",
            "device_id": f"device-{customer}",
        }
        person = {
            "first_name": NAMES[customer],
            "last_name": "Okafor",
            "date_of_birth": f"19{60 + customer}-03-04",
        }
        alone += [({kind: value}, {}) for kind, value in values.items()]
        for one, other in (("email", "cookie_id"), ("phone", "device_id"), ("email", "phone")):
            together.append(({one: values[one], other: values[other]}, person if draw.random() < 0.7 else {}))
    draw.shuffle(alone)
    draw.shuffle(together)
    return [
        event(number, identifiers, traits=traits)
        for number, (identifiers, traits) in enumerate([*alone, *together], start=1)
    ]


def better_evidence() -> list[EventIn]:
    """A record of a phone and a cookie is taken for whoever has the phone, until somebody shows both."""
    found = []
    for n in range(3):
        phone, cookie = f"+14155550{300 + n}", f"shared-{n}"
        ann = {"first_name": "Ann", "last_name": "Berg", "date_of_birth": f"1950-01-0{n + 1}"}
        zed = {"first_name": "Zed", "last_name": "Berg", "date_of_birth": f"1985-07-1{n + 1}"}
        found += [
            event(900 + 3 * n, {"phone": phone}, traits=ann),
            event(901 + 3 * n, {"phone": phone, "cookie_id": cookie}),
            event(902 + 3 * n, {"phone": phone, "cookie_id": cookie}, traits=zed),
        ]
    return found


def test_all_stands_after_merges_splits_and_rollbacks(stages: StagesOnPostgres) -> None:
    stages.send(*late_bridges(), *better_evidence(), batch=1)
    namesakes = {"first_name": "Ivy", "last_name": "Stone", "city": "Leeds"}
    stages.send(event(950, traits=namesakes), event(951, traits=namesakes))
    stages.send(*events()[:1500], batch=100)
    assert stages.rows("SELECT count(*) FROM identity_merge_log WHERE kind = 'split'") == [(3,)]
    merges = stages.rows(
        "SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged' ORDER BY decided_at"
    )
    assert len(merges) > 20
    for (merge,) in merges[-9::3]:
        stages.rollback(merge)
    stages.send(*events()[1500:2000], batch=100)
    found = verified(stages)
    assert [fault.as_dict() for fault in found.faults] == []
    assert found.counts["records"] > 1000
    assert found.counts["constraints"] == 3
    assert found.counts["evidence"] > 300
    assert found.counts["evidence_of_other_versions"] == 0


def test_a_small_house_stands(stages: StagesOnPostgres) -> None:
    small_house(stages)
    found = verified(stages)
    assert found.faults == ()
    assert found.counts["reviews"] == 1


def test_a_record_moved_by_hand_is_found(stages: StagesOnPostgres) -> None:
    small_house(stages)
    ((record, home),) = stages.rows(
        "SELECT record_id, profile_id FROM event JOIN identity_record USING (record_id) "
        "WHERE event_id = '00000000-0000-4000-8000-000000000002'"
    )
    ((elsewhere,),) = stages.rows(
        "SELECT profile_id FROM event JOIN identity_record USING (record_id) "
        "WHERE event_id = '00000000-0000-4000-8000-000000000005'"
    )
    damage(stages, f"UPDATE identity_record SET profile_id = '{elsewhere}' WHERE record_id = '{record}'")
    faults = verified(stages).of_kind()
    (moved,) = faults[FaultKind.WRONG_PROFILE]
    assert set(moved.where["profiles"]) == {str(home), str(elsewhere)}  # type: ignore[call-overload]
    assert isinstance(moved.should, list)
    assert sorted(len(cluster) for cluster in moved.should) == [1, 3]
    # both profiles have golden records of records they no longer hold, or lack one they have
    assert set(faults) == {FaultKind.WRONG_PROFILE, FaultKind.GOLDEN_RECORD}
    json.dumps([fault.as_dict() for fault in verified(stages).faults])


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE customer_profile SET golden = golden - 'first_name'", FaultKind.GOLDEN_RECORD),
        (
            "UPDATE customer_profile SET contested = NOT contested WHERE NOT is_merged",
            FaultKind.GOLDEN_RECORD,
        ),
        ("UPDATE customer_profile SET version = 1", FaultKind.PROFILE_VERSION),
        (
            "INSERT INTO customer_profile (profile_id, created_at, updated_at) "
            "VALUES ('00000000-0000-4000-8000-00000000cafe', now(), now())",
            FaultKind.PROFILE_STATE,
        ),
        ("UPDATE customer_profile SET merged_into = profile_id WHERE is_merged", FaultKind.PROFILE_STATE),
        ("UPDATE identity_evidence SET weight = weight + 0.01", FaultKind.EVIDENCE_DIFFERS),
        ("UPDATE identity_evidence SET levels = levels - 0", FaultKind.EVIDENCE_DIFFERS),
        ("UPDATE identity_evidence SET veto = NULL WHERE veto IS NOT NULL", FaultKind.EVIDENCE_DIFFERS),
        (
            "DELETE FROM identity_evidence WHERE (low, high) IN (SELECT low, high FROM identity_evidence LIMIT 1)",
            FaultKind.EVIDENCE_MISSING,
        ),
        ("DELETE FROM review_queue", FaultKind.REVIEW_MISSING),
        ("UPDATE review_queue SET reason = 'score_in_review_band'", FaultKind.REVIEW_DIFFERS),
        ("UPDATE match_key SET key = key + 1", FaultKind.MATCH_KEYS),
        ("UPDATE match_key SET record_kinds = 0", FaultKind.MATCH_KEYS),
        ("UPDATE match_key SET person = person + 1", FaultKind.MATCH_KEYS),
        ("UPDATE match_key SET likeness = likeness + 1", FaultKind.MATCH_KEYS),
        ("DELETE FROM match_key", FaultKind.MATCH_KEYS),
        ("DELETE FROM record_identifier WHERE type = 'phone'", FaultKind.IDENTIFIERS),
        ("UPDATE record_identifier SET hash_key_version = 7", FaultKind.IDENTIFIERS),
        ("UPDATE record_identifier SET type = 'crm_id' WHERE type = 'email'", FaultKind.IDENTIFIERS),
        ("UPDATE identity_record SET sealed = set_byte(sealed, 20, 0)", FaultKind.RECORD_BROKEN),
    ],
)
def test_a_fault_made_by_hand_is_found_and_named(
    stages: StagesOnPostgres, statement: str, kind: FaultKind
) -> None:
    small_house(stages)
    damage(stages, statement)
    assert kinds(stages) == {kind}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM shared_identifier",
        "UPDATE worn_key SET lost = lost + 1",
        "INSERT INTO shared_identifier SELECT record_id, key FROM identity_record, worn_key ON CONFLICT DO NOTHING",
    ],
)
def test_marks_of_shared_identifiers_are_looked_at(stages: StagesOnPostgres, statement: str) -> None:
    small_house(stages)
    till = {"email": "till@mailbox.net"}
    people = [{"first_name": name, "last_name": name + "son"} for name in NAMES[:6]]
    stages.send(*(event(n, till, traits=traits) for n, traits in enumerate(people, start=20)))
    assert kinds(stages) == set()
    damage(stages, statement)
    assert kinds(stages) == {FaultKind.SHARED_IDENTIFIERS}


def test_a_review_nobody_asked_for_is_found(stages: StagesOnPostgres) -> None:
    small_house(stages)
    damage(
        stages,
        "INSERT INTO review_queue (review_id, low_profile, high_profile, low_record, high_record, status, reason, "
        "confidence_score, scoring_details, model_version, policy_version, created_at, updated_at) "
        "SELECT gen_random_uuid(), a.profile_id, b.profile_id, a.record_id, b.record_id, 'pending', 'x', 0.5, '{}', "
        "'m', 'p', now(), now() FROM identity_record a JOIN identity_record b ON a.profile_id < b.profile_id "
        "ORDER BY a.first_seen DESC, b.first_seen LIMIT 1",
    )
    assert FaultKind.REVIEW_SURPLUS in kinds(stages)


def test_who_was_forgotten_is_left_out(stages: StagesOnPostgres) -> None:
    small_house(stages)
    damage(
        stages, "DELETE FROM data_key USING identity_record WHERE owner_id = record_id AND sources = '{web}'"
    )
    found = verified(stages)
    assert found.counts["forgotten"] == found.counts["records"] == 6
    assert found.faults == ()


def test_a_changed_policy_shows_what_it_would_have_said(stages: StagesOnPostgres) -> None:
    small_house(stages)
    strict = replace(policy(), auto_merge=0.999999999999, version="strict")
    found = verify(stages.database, ring(), model(), strict)
    assert FaultKind.WRONG_PROFILE in found.of_kind()
    assert found.counts["evidence_of_other_versions"] == found.counts["evidence"] > 0


def test_it_reads_one_snapshot_and_writes_nothing(stages: StagesOnPostgres, database: str) -> None:
    small_house(stages)
    with stages.database.snapshot() as tx:
        before = tx.row("stored_counts")
        other = StagesOnPostgres(database)
        damage(other, "DELETE FROM identity_evidence")
        other.close()
        assert tx.row("stored_counts") == before
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            tx.connection.execute("DELETE FROM identity_evidence")
    assert kinds(stages) == {FaultKind.EVIDENCE_MISSING}
