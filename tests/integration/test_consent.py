"""Consent on a real Postgres: said by events, kept as history, and what holds follows the records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx
import orjson
import psycopg
import pytest

from pipeline.erasure.erase import forget_now
from pipeline.identity.consent import ConsentState, Statement, newest
from pipeline.portability.document import Exporting, person_export
from pipeline.store.consent import said_by_way_of
from pipeline.store.roles import Role
from pipeline.unmerge.asked import Asked
from tests.integration.test_answers import RULES, home_of
from tests.integration.test_concurrency import WORKERS, work
from tests.integration.test_unmerge import MAIL, PHONE, merges, record
from tests.support.gateway import gateway_over
from tests.support.people import ring
from tests.support.pipeline import EventIn, StagesOnPostgres, event
from tests.support.reprocessing import Reprocessing, sound_stages
from tests.support.told import is_told, told

NOW = datetime(2026, 2, 1, tzinfo=UTC)
ALSO = {"device_id": "d-1234567"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    with sound_stages(database, RULES) as opened:  # whose end makes sure that all that holds was told
        yield opened


def says(
    number: int, who: Mapping[str, object], *said: tuple[str, str], at: str | None = None, **more: object
) -> EventIn:
    consent = [{"purpose": purpose, "state": state, "at": at} for purpose, state in said]
    return event(number, who, consent=consent, **more)


def holds(stages: StagesOnPostgres, number: int) -> dict[str, str]:
    """What was told last of the customer of an event."""
    state = told(stages)[str(home_of(stages, number))]
    return {c["purpose"]: c["state"] for c in state["consent"]}  # type: ignore[attr-defined]


def version(stages: StagesOnPostgres, number: int) -> int:
    ((found,),) = stages.rows(
        "SELECT version FROM customer_profile WHERE profile_id = %s", home_of(stages, number)
    )
    assert isinstance(found, int)
    return found


def test_a_change_of_consent_alone_is_another_version_and_is_told(stages: StagesOnPostgres) -> None:
    stages.send(event(1, MAIL))
    assert holds(stages, 1) == {}
    assert version(stages, 1) == 1
    stages.send(says(2, MAIL, ("marketing", "granted"), ("analytics", "withdrawn")))
    assert holds(stages, 1) == {"analytics": "withdrawn", "marketing": "granted"}
    assert version(stages, 1) == 2
    stages.send(says(3, MAIL, ("marketing", "withdrawn")), event(4, MAIL))
    assert holds(stages, 1) == {"analytics": "withdrawn", "marketing": "withdrawn"}
    assert version(stages, 1) == 3
    assert stages.rows("SELECT purpose, state, source FROM consent ORDER BY at, purpose") == [
        ("analytics", "withdrawn", "web"),
        ("marketing", "granted", "web"),
        ("marketing", "withdrawn", "web"),
    ]


def test_an_older_word_that_comes_later_changes_nothing_but_the_history(stages: StagesOnPostgres) -> None:
    stages.send(says(5, MAIL, ("marketing", "withdrawn")))
    stages.send(says(6, MAIL, ("marketing", "granted"), at="2025-06-01T00:00:00Z"))
    assert holds(stages, 5) == {"marketing": "withdrawn"}
    assert version(stages, 5) == 1
    assert stages.rows("SELECT count(*) FROM consent") == [(2,)]


def test_of_two_words_at_the_same_time_the_withdrawal_holds(stages: StagesOnPostgres) -> None:
    at = "2026-01-01T00:00:00Z"
    stages.send(says(1, MAIL, ("marketing", "withdrawn"), at=at))
    stages.send(says(2, MAIL, ("marketing", "granted"), at=at))
    stages.send(says(3, PHONE, ("marketing", "granted"), ("marketing", "withdrawn"), at=at))
    assert holds(stages, 1) == holds(stages, 3) == {"marketing": "withdrawn"}


def test_a_purpose_that_nobody_declared_is_noted_and_the_event_kept(stages: StagesOnPostgres) -> None:
    stages.send(says(1, MAIL, ("jane.doe", "granted"), ("marketing", "granted")))
    assert stages.rows("SELECT reasons[2] FROM event") == [("consent.purpose:unknown_purpose",)]
    assert holds(stages, 1) == {"marketing": "granted"}
    assert stages.rows("SELECT purpose FROM consent") == [("marketing",)]


def test_the_newest_word_of_who_became_one_holds_and_comes_apart_with_them(stages: StagesOnPostgres) -> None:
    stages.send(says(1, MAIL, ("marketing", "granted"), ("analytics", "granted")))
    stages.send(says(2, PHONE, ("marketing", "withdrawn")))
    stages.send(event(3, MAIL | PHONE))
    assert home_of(stages, 1) == home_of(stages, 2)
    assert holds(stages, 1) == {"analytics": "granted", "marketing": "withdrawn"}
    stages.rollback(merges(stages)[0])
    assert home_of(stages, 1) != home_of(stages, 2)
    assert holds(stages, 1) == {"analytics": "granted", "marketing": "granted"}
    assert holds(stages, 2) == {"marketing": "withdrawn"}


def test_an_event_that_comes_again_says_it_once(stages: StagesOnPostgres) -> None:
    stages.send(says(1, MAIL, ("marketing", "granted")), says(1, MAIL, ("marketing", "granted")))
    stages.send(says(1, MAIL, ("marketing", "granted")))
    assert stages.rows("SELECT count(*) FROM consent") == [(1,)]
    assert version(stages, 1) == 1


WHO = (MAIL, PHONE, ALSO, MAIL | PHONE, {"loyalty_id": "L-7"}, {"loyalty_id": "L-8"})


def stream(seed: int) -> list[EventIn]:
    chance = Random(seed)
    return [
        says(
            n,
            chance.choice(WHO),
            *(
                (p, chance.choice(["granted", "withdrawn"]))
                for p in ("marketing", "analytics")
                if chance.random() < 0.5
            ),
            at=f"2025-01-0{chance.randint(1, 3)}T00:00:00Z" if chance.random() < 0.7 else None,
            source=chance.choice(["web", "pos"]),
        )
        for n in range(40)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_what_holds_is_that_of_all_that_was_said_whatever_order_it_came_in(
    stages: StagesOnPostgres, seed: int
) -> None:
    events = stream(seed)
    chance = Random(seed)
    chance.shuffle(events)
    stages.send(*events, batch=chance.choice([1, 3, 40]))
    said: dict[object, list[Statement]] = {}
    for profile, purpose, state, at, source in stages.rows(
        "SELECT profile_id, purpose, state, at, source FROM consent JOIN identity_record USING (record_id)"
    ):
        said.setdefault(profile, []).append(Statement(purpose, ConsentState(state), at, source))
    viewed = stages.rows("SELECT profile_id, purpose, state, at, source FROM profile_consent ORDER BY 1, 2")
    assert len(viewed) > 3
    assert viewed == [
        (profile, *held)
        for profile in sorted(said)
        for held in newest(said[profile]).values()  # type: ignore[type-var]
    ]
    expected = sorted(
        (str(e["event_id"]), c["purpose"], c["state"])
        for e in events
        for c in e["consent"]  # type: ignore[attr-defined]
    )
    assert stages.rows("SELECT event_id::text, purpose, state FROM consent ORDER BY 1, 2, 3") == expected
    with stages.database.transaction() as tx:
        by_record = said_by_way_of(tx, [record(stages, n) for n in range(40)])
    for profile, everything in said.items():
        records = [
            r for (r,) in stages.rows("SELECT record_id FROM identity_record WHERE profile_id = %s", profile)
        ]
        assert newest(s for r in records for s in by_record.get(r, ())) == newest(everything)


def test_of_what_several_workers_hear_at_once_the_newest_word_is_told(
    stages: StagesOnPostgres, database: str
) -> None:
    chance = Random(5)
    said = [
        says(
            n,
            chance.choice(WHO),
            ("marketing", chance.choice(["granted", "withdrawn"])),
            at=f"2025-01-01T{chance.randrange(24):02d}:{chance.randrange(60):02d}:00Z",
        )
        for n in range(240)
    ]
    normalized = stages.normalized(*said)
    with ThreadPoolExecutor(WORKERS) as pool:
        running = [pool.submit(work, database, stages, n, normalized[n::WORKERS]) for n in range(WORKERS)]
        for r in running:
            r.result()
    assert stages.rows("SELECT count(*) FROM consent") == [(240,)]
    is_told(stages)  # without gaps, and the last of it is what holds


def test_what_was_said_is_never_changed(stages: StagesOnPostgres) -> None:
    stages.send(says(1, MAIL, ("marketing", "granted")))
    with pytest.raises(psycopg.errors.RestrictViolation), stages.database.transaction() as tx:
        tx.connection.execute("UPDATE consent SET state = 'withdrawn'")
    with pytest.raises(psycopg.errors.RestrictViolation), stages.database.transaction() as tx:
        tx.connection.execute("TRUNCATE consent")


def test_who_is_forgotten_leaves_no_word(stages: StagesOnPostgres) -> None:
    stages.send(says(1, MAIL, ("marketing", "granted")), says(2, PHONE, ("marketing", "granted")))
    asked = Asked("officer", "asked for", NOW)
    done = forget_now(stages.stewardship(Role.ERASER), home_of(stages, 1), asked)
    assert done.done["consent"] == 1
    assert stages.rows("SELECT right(event_id::text, 1) FROM consent") == [("2",)]


def test_all_that_was_said_is_told_to_who_asks_what_is_known(stages: StagesOnPostgres) -> None:
    stages.send(says(1, MAIL, ("marketing", "granted")), says(2, MAIL, ("marketing", "withdrawn")))
    by = Exporting(stages.database, ring(), stages.codec, RULES, "officer", NOW)
    document = orjson.loads(b"".join(person_export(by, home_of(stages, 1))))
    assert [(c["purpose"], c["state"], c["at"][:16], c["source"]) for c in document["consent"]] == [
        ("marketing", "granted", "2026-01-01T00:01", "web"),
        ("marketing", "withdrawn", "2026-01-01T00:02", "web"),
    ]
    assert document["events"][0]["as_sent"]["consent"] == [
        {"purpose": "marketing", "state": "granted", "at": None}
    ]


RENAMED = replace(
    RULES, domain_aliases={**RULES.domain_aliases, "mailbox.net": "postbox.net"}, version="renamed"
)
"""Every e-mail address, and with it every record of one, is another."""


def test_a_replay_moves_what_was_said_with_its_events(stages: StagesOnPostgres, database: str) -> None:
    stages.send(says(1, MAIL, ("marketing", "granted")), says(2, PHONE, ("analytics", "withdrawn")))
    before = record(stages, 1)
    stages.deploy(RENAMED)
    with closing(Reprocessing(stages, database)) as replay:
        replay.compare()
        replay.activate()
    assert record(stages, 1) != before
    assert stages.rows("SELECT count(*) FROM consent c JOIN event e USING (event_id, record_id)") == [(2,)]
    assert holds(stages, 1) == {"marketing": "granted"}
    assert holds(stages, 2) == {"analytics": "withdrawn"}


def test_a_replay_reads_what_was_said_of_a_purpose_that_is_declared_since_and_forgets_none_that_is_not(
    stages: StagesOnPostgres, database: str
) -> None:
    stages.send(says(1, MAIL, ("newsletter", "granted"), ("marketing", "granted")))
    assert holds(stages, 1) == {"marketing": "granted"}
    other = {"newsletter": ConsentState.WITHDRAWN}
    stages.deploy(replace(RULES, purposes=other, version="other purposes"))
    with closing(Reprocessing(stages, database)) as replay:
        assert replay.compare().counts.changed == 1
        replay.activate()
    assert holds(stages, 1) == {"marketing": "granted", "newsletter": "granted"}
    with closing(Reprocessing(stages, database)) as replay:
        assert replay.compare().is_none


def test_carried_events_keep_what_they_said(stages: StagesOnPostgres, database: str) -> None:
    stages.send(says(1, MAIL, ("marketing", "granted")))
    stages.deploy(replace(RULES, purposes={}, version="none"))
    with closing(Reprocessing(stages, database)) as replay:
        replay.build(datetime(2030, 1, 1, tzinfo=UTC))
        assert replay.compare().is_none
        replay.activate()
    assert stages.rows("SELECT purpose, state FROM consent") == [("marketing", "granted")]


async def asked(client: httpx.AsyncClient, path: str) -> Mapping[str, Sequence[Mapping[str, object]]]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    found: Mapping[str, Sequence[Mapping[str, object]]] = answer.json()
    return found


async def test_the_gateway_tells_what_holds_and_all_that_was_said(
    stages: StagesOnPostgres, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages.send(says(1, MAIL, ("marketing", "granted")), says(2, MAIL, ("analytics", "withdrawn")))
    home = home_of(stages, 1)
    async with gateway_over(database, tmp_path, monkeypatch) as client:
        whole = await asked(client, f"/v1/profiles/{home}")
        found = await asked(client, f"/v1/profiles/{home}/consent")
    assert [(c["purpose"], c["state"], c["source"]) for c in whole["consent"]] == [
        ("analytics", "withdrawn", "web"),
        ("marketing", "granted", "web"),
        ("personalisation", "granted", None),
    ]
    assert found["consent"] == whole["consent"]
    assert [(s["purpose"], s["state"], str(s["event_id"])[-1]) for s in found["history"]] == [
        ("analytics", "withdrawn", "2"),
        ("marketing", "granted", "1"),
    ]
    assert not found["truncated"]
    async with gateway_over(database, tmp_path, monkeypatch) as client:
        assert (await client.get(f"/v1/profiles/{record(stages, 1)}/consent")).status_code == 404


async def test_the_gateway_says_at_once_what_is_wrong_with_consent(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway_over(database, tmp_path, monkeypatch) as client:
        sent = await client.post("/v1/events", json=says(1, MAIL, ("jane.doe", "granted")))
        assert sent.status_code == 202, sent.text
        (warning,) = sent.json()["warnings"]
        assert (warning["field"], warning["code"]) == ("consent.purpose", "unknown_purpose")
        wrong = await client.post("/v1/events", json=says(1, MAIL, ("marketing", "perhaps")))
    assert wrong.status_code == 400
    assert wrong.json()["error"]["details"][0]["field"] == "consent.0.state"
