"""A till's e-mail on a real Postgres: it is one person's until too many share it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import orjson
import pytest

from pipeline.codes import ReasonCode
from pipeline.identity.model import MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.verify.verification import verify
from tests.support.people import model, policy, ring
from tests.support.pipeline import EventIn, StagesOnPostgres, event

BUSY_EVENTS = int(os.environ.get("RB_TEST_BUSY_EVENTS", "4000"))
TILL = {"email": "counter7@mailbox.net"}
PEOPLE = ["Anna Kowalski", "John Smith", "Mary Jones", "Peter Brown", "Susan Miller"]


def rules(split_limit: int = 20, cap: int = 500) -> Policy:
    caps = {**policy().block_caps, MatchKeyKind.IDENTIFIER: cap}
    return replace(policy(), split_limit=split_limit, block_caps=caps, version="here")


@pytest.fixture(params=[rules()])
def stages(database: str, request: pytest.FixtureRequest) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=request.param)
    yield opened
    assert verify(opened.database, ring(), model(), opened.rules).faults == ()
    opened.close()


def named(number: int, name: str) -> dict[str, object]:
    first, last = name.split()
    return dict(event(number, TILL, traits={"first_name": first, "last_name": last}))


def test_what_an_identifier_held_together_is_split_once_it_is_shared(stages: StagesOnPostgres) -> None:
    stages.send(named(1, PEOPLE[0]))
    stages.send(event(2, {**TILL, "cookie_id": "c-1"}))
    assert stages.profiles() == {frozenset({"001", "002"})}
    for number, name in enumerate(PEOPLE[1:], start=3):
        stages.send(named(number, name))
    assert stages.profiles() == {frozenset({f"00{n}"}) for n in range(1, 7)}
    assert stages.rows("SELECT kind, step, people, reason FROM worn_key") == [
        ("email", 1, 5, ReasonCode.SHARED_IDENTIFIER)
    ]
    assert stages.rows("SELECT count(*) FROM shared_identifier") == [(6,)]
    assert stages.rows("SELECT reason FROM identity_merge_log WHERE kind = 'split'") == [
        (ReasonCode.SHARED_IDENTIFIER,)
    ]
    assert [m["kind"] for m in stages.outbox("identity.merges")] == ["split"]
    assert stages.rows("SELECT reasons FROM event ORDER BY event_id")[-1][0] == [
        ReasonCode.NEW_CUSTOMER,
        ReasonCode.SHARED_IDENTIFIER,
    ]
    (levels,) = stages.rows("SELECT levels FROM identity_evidence ORDER BY weight DESC LIMIT 1")[0]
    assert [level for attribute, level, _ in levels if attribute == "email"] == ["shared"]


def test_those_who_come_later_see_that_it_is_shared(stages: StagesOnPostgres) -> None:
    stages.send(*(named(number, name) for number, name in enumerate(PEOPLE, start=1)))
    stages.send(event(6, {**TILL, "cookie_id": "c-1"}))
    stages.send(event(7, {**TILL, "cookie_id": "c-2"}))
    assert frozenset({"006"}) in stages.profiles()
    assert frozenset({"007"}) in stages.profiles()
    assert stages.rows("SELECT DISTINCT reason FROM review_queue WHERE status = 'pending'") == [
        (ReasonCode.SCORE_IN_REVIEW_BAND,)
    ]


@pytest.mark.parametrize("stages", [policy()], indirect=True)
def test_a_customer_of_many_events(stages: StagesOnPostgres) -> None:
    """A new cookie every hundred events, seen with and without the e-mail, and orders: `RB_TEST_BUSY_EVENTS=100000`."""
    mail = {"email": "anna@mailbox.net"}
    for start in range(0, BUSY_EVENTS, 1000):
        stages.send(*(busy(n, mail) for n in range(start, start + 1000)))
    ((events, records),) = stages.rows("SELECT count(*), count(DISTINCT record_id) FROM event")
    assert (events, records) == (BUSY_EVENTS, 2 * BUSY_EVENTS // 100 + 1)
    assert stages.rows("SELECT count(DISTINCT profile_id) FROM identity_record") == [(1,)]
    ((evidence,),) = stages.rows("SELECT count(*) FROM identity_evidence")
    assert evidence < 2 * policy().holders_compared.alike * records


def busy(number: int, mail: dict[str, str]) -> EventIn:
    more: dict[str, object] = {"minute": number % 1440}
    if number % 50 == 0:
        item = {"sku": f"s{number % 500}", "quantity": 1, "price": 12.5}
        order = {"order_id": f"o{number}", "amount": 12.5, "currency": "EUR", "items": [item]}
        more |= {"event_type": "order", "payload": order}
    if number % 7 == 0:
        return event(number, {**mail, "device_id": "d-1"}, **more)
    seen = mail if number % 3 else {}
    return event(number, {**seen, "cookie_id": f"c-{number // 100}"}, **more)


@pytest.mark.parametrize("stages", [policy()], indirect=True)
def test_a_customer_of_a_thousand_identifiers(stages: StagesOnPostgres) -> None:
    mail, phone = {"email": "anna@mailbox.net"}, {"phone": "+14155550101"}
    for start in range(0, 1000, 250):
        stages.send(*(event(n, {**mail, "cookie_id": f"c-{n}"}, minute=0) for n in range(start, start + 250)))
    stages.send(event(1000, {**mail, **phone}, minute=0), event(1001, phone, minute=0))
    assert stages.rows(
        "SELECT count(DISTINCT r.profile_id), count(DISTINCT (i.type, i.value_hash)) "
        "FROM identity_record r JOIN record_identifier i USING (record_id)"
    ) == [(1, 1002)]
    ((evidence,),) = stages.rows("SELECT count(*) FROM identity_evidence")
    assert evidence < 1002 * 2 * policy().holders_compared.alike
    stages.send(event(1002, {"cookie_id": "c-7"}, minute=0))
    assert stages.rows("SELECT count(DISTINCT profile_id) FROM identity_record") == [(1,)]
    # one cookie more than a customer may gather asks a steward
    stages.send(event(1003, {**mail, "cookie_id": "c-1003"}, minute=0))
    assert stages.rows("SELECT count(DISTINCT profile_id) FROM identity_record") == [(2,)]
    assert stages.rows("SELECT reason FROM review_queue WHERE status = 'pending'") == [
        (ReasonCode.TOO_MANY_FOR_ONE,)
    ]


@pytest.mark.parametrize("stages", [rules(split_limit=1)], indirect=True)
def test_a_split_that_is_too_large_is_proposed_and_told(stages: StagesOnPostgres) -> None:
    stages.send(named(1, PEOPLE[0]))
    stages.send(event(2, {**TILL, "cookie_id": "c-1"}))
    ((large, version),) = stages.rows("SELECT profile_id, version FROM customer_profile WHERE NOT is_merged")
    for number, name in enumerate(PEOPLE[1:], start=3):
        stages.send(named(number, name))
    assert frozenset({"001", "002"}) in stages.profiles()
    assert stages.rows("SELECT held, version FROM customer_profile WHERE profile_id = %s", large) == [
        (True, version)
    ]
    assert stages.rows("SELECT count(*) FROM identity_merge_log WHERE kind = 'split'") == [(0,)]
    (told,) = [m for m in stages.outbox("identity.reviews") if m["kind"] == "split"]
    assert (told["profile_id"], told["other_profile_id"]) == (str(large), str(large))
    assert (told["status"], told["reason"]) == ("pending", ReasonCode.MERGE_NO_LONGER_HOLDS)
    parts = orjson.loads(cast(str, told["scoring_details"]))["parts"]
    standing = stages.rows("SELECT record_id FROM identity_record WHERE profile_id = %s", large)
    assert {record for part in parts for record in part} == {str(r) for (r,) in standing}
    assert [len(part) for part in parts] == [1, 1]
    # told once: another record elsewhere does not tell of it again
    stages.send(event(9, {**TILL, "cookie_id": "c-9"}))
    assert [m["kind"] for m in stages.outbox("identity.reviews")].count("split") == 1


@pytest.mark.parametrize("stages", [rules(split_limit=1)], indirect=True)
def test_evidence_that_holds_again_takes_the_proposal_back(stages: StagesOnPostgres) -> None:
    stages.send(named(1, PEOPLE[0]))
    stages.send(event(2, {**TILL, "cookie_id": "c-1"}))
    for number, name in enumerate(PEOPLE[1:], start=3):
        stages.send(named(number, name))
    first, last = PEOPLE[0].split()
    anna = {"first_name": first, "last_name": last}
    stages.send(event(8, {**TILL, "cookie_id": "c-1"}, traits=anna))
    assert frozenset({"001", "002", "008"}) in stages.profiles()
    assert stages.rows("SELECT status FROM review_queue WHERE kind = 'split'") == [("obsolete",)]
    assert stages.rows("SELECT count(*) FROM customer_profile WHERE held") == [(0,)]
    assert [m["status"] for m in stages.outbox("identity.reviews") if m["kind"] == "split"] == [
        "pending",
        "obsolete",
    ]


@pytest.mark.parametrize("stages", [rules(cap=3)], indirect=True)
def test_nobody_more_is_filed_under_a_key_that_leads_to_nobody(stages: StagesOnPostgres) -> None:
    stages.send(*(named(number, name) for number, name in enumerate(PEOPLE[:3], start=1)))
    filed = "SELECT count(*) FROM match_key JOIN worn_key USING (key) WHERE step = 4"
    assert stages.rows(filed) == [(0,)]
    for number, name in enumerate(PEOPLE[3:], start=4):
        stages.send(named(number, name))
    assert stages.rows("SELECT kind, reason FROM worn_key WHERE step = 4") == [
        ("email", ReasonCode.BLOCK_OVERFULL)
    ]
    assert stages.rows(filed) == [(3,)]
    assert stages.rows("SELECT count(*) FROM shared_identifier") == [(5,)]
    assert stages.rows("SELECT reasons FROM event ORDER BY event_id")[-1][0].count(ReasonCode.BLOCK_OVERFULL)


@pytest.mark.parametrize("stages", [rules(split_limit=1)], indirect=True)
def test_a_neighbour_of_a_held_profile_does_not_propose_its_split_again(stages: StagesOnPostgres) -> None:
    own = {"cookie_id": "c-1", "phone": "+14155550101", "crm_id": "7", "device_id": "d-1"}
    stages.send(named(1, PEOPLE[0]))
    stages.send(event(2, {**TILL, **own, "loyalty_id": "L-1"}))
    for number, name in enumerate(PEOPLE[1:], start=3):
        stages.send(named(number, name))
    # one whom a veto alone keeps out of the held profile, and then a record of that one's
    stages.send(event(20, {**own, "loyalty_id": "L-2"}))
    stages.send(event(21, {"loyalty_id": "L-2", "device_id": "d-2"}))
    assert {frozenset({"001", "002"}), frozenset({"020", "021"})} <= stages.profiles()
    assert stages.rows("SELECT max(confidence) > 0.9 FROM identity_evidence WHERE veto IS NOT NULL") == [
        (True,)
    ]
    assert [m["kind"] for m in stages.outbox("identity.reviews")].count("split") == 1
