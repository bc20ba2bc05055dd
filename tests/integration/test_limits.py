"""A till's e-mail on a real Postgres: it is one person's until too many share it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.codes import ReasonCode
from pipeline.verify.verification import verify
from tests.support.people import model, policy, ring
from tests.support.pipeline import StagesOnPostgres, event

TILL = {"email": "counter7@mailbox.net"}
PEOPLE = ["Anna Kowalski", "John Smith", "Mary Jones", "Peter Brown", "Susan Miller"]


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database)
    yield opened
    assert verify(opened.database, ring(), model(), policy()).faults == ()
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
