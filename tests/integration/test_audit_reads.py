"""Nobody is shown personal data without an entry of the audit log, written before it goes out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from structlog.testing import capture_logs

from faults.proxy import Proxies
from gateway import audit_log, audit_writer
from gateway.audit_writer import AuditWriter
from gateway.server import MOST_EXPORTS
from pipeline.errors import StoreUnavailable
from tests.integration.test_answers import home_of
from tests.integration.test_consumer_embeddings import Following, buys
from tests.support.audit import AuditLog, tamper
from tests.support.audit import told as entry
from tests.support.gateway import gateway_over
from tests.support.pipeline import StagesOnPostgres, event
from tests.support.processes import free_port

MAIL, PHONE = "anna@postbox.io", "+14155550101"
HOME = {"address": "12 Oak Street", "city": "Albany", "postcode": "12201"}
CLEAR = ("anna", "bell", "1980-02-03", "12 oak", MAIL, PHONE)
"""Values of a customer, none of which a masked answer holds."""


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    """Anna, who lives with Ben, and somebody of whom a device is all that is known."""
    with closing(StagesOnPostgres(database)) as opened:
        anna = {"first_name": "Anna", "last_name": "Bell", "date_of_birth": "1980-02-03", **HOME}
        opened.send(
            event(1, {"email": MAIL, "phone": PHONE}, traits=anna),
            event(2, {"email": "ben@x.org"}, traits={"first_name": "Ben", "last_name": "Bell", **HOME}),
            event(3, {"device_id": "d-1234567"}),
        )
        yield opened


@pytest.fixture
def log(database: str, stages: StagesOnPostgres) -> Iterator[AuditLog]:
    with closing(AuditLog(database)) as opened:
        yield opened


def told(log: AuditLog, request_id: str) -> list[tuple[str, list[str]]]:
    """(action, profiles) of the entries of a request."""
    query = "SELECT action, profiles FROM audit_entry WHERE request_id = %s ORDER BY entry_id"
    return [(action, [str(p) for p in profiles]) for action, profiles in log.rows(query, request_id)]


def shows_any(answer: httpx.Response) -> bool:
    words = "|".join(map(re.escape, CLEAR))
    return re.search(rf"(?<!\w)({words})(?!\w)", answer.text.lower()) is not None


PARTS = (
    "",
    "/events",
    "/summary",
    "/timeline",
    "/identifiers",
    "/consent",
    "/history",
    "/relationships",
    "/similar",
    "/explain",
)


@pytest.mark.parametrize("reveal", [False, True])
@pytest.mark.parametrize("part", PARTS)
async def test_whatever_shows_personal_data_is_told_and_nothing_else(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog, part: str, reveal: bool
) -> None:
    anna = home_of(stages, 1)
    params = {"as_of": datetime.now(UTC).isoformat()} if part == "/history" else {}
    asked = {**params, "reveal": "true"} if reveal else params
    answer = await client.get(f"/v1/profiles/{anna}{part}", params=asked, headers={"X-Request-ID": "r-1"})
    assert answer.status_code == 200, answer.text
    assert shows_any(answer) == (
        part in ("", "/history", "/relationships") or (reveal and part == "/identifiers")
    )
    entries = told(log, "r-1")
    assert [action for action, _ in entries] == (
        []
        if not shows_any(answer)
        else ["customer.revealed" if reveal and part != "/relationships" else "customer.read"]
    )
    assert all(str(anna) in profiles for _, profiles in entries)


async def test_where_only_revealed_reads_are_to_be_told_others_are_not(
    database: str,
    stages: StagesOnPostgres,
    log: AuditLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anna = f"/v1/profiles/{home_of(stages, 1)}"
    async with gateway_over(database, tmp_path, monkeypatch, audit_reads="revealed") as client:
        for params, actions in (({}, []), ({"reveal": "true"}, ["customer.revealed"])):
            answer = await client.get(anna, params=params)
            assert shows_any(answer)
            assert [a for a in log.actions() if a.startswith("customer.")] == actions
        await client.get("/v1/profiles", params={"email": MAIL})
    assert log.actions()[-1] == "customer.searched"


@pytest.mark.parametrize("form", ["json", "text", "svg"])
@pytest.mark.parametrize("pair", [False, True])
async def test_an_explanation_shows_nobody_in_clear_whatever_its_form(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog, form: str, pair: bool
) -> None:
    anna, ben = (home_of(stages, n) for n in (1, 2))
    params = {"format": form, **({"with": str(ben)} if pair else {})}
    answer = await client.get(f"/v1/profiles/{anna}/explain", params=params)
    assert answer.status_code == (404 if form == "svg" and not pair else 200), answer.text
    assert not shows_any(answer)
    assert not [action for action in log.actions() if action.startswith("customer.")]


async def test_who_buys_alike_is_shown_by_purchases_alone(client: httpx.AsyncClient, database: str) -> None:
    house = Following(database)
    with closing(house.stages) as stages:
        stages.send(buys(1, {"email": MAIL}, "tea-1"), buys(2, {"phone": PHONE}, "tea-1"))
        house.follow()
        found = await client.get(f"/v1/profiles/{home_of(stages, 1)}/similar")
    assert [one["profile_id"] for one in found.json()["data"]]
    assert not shows_any(found)
    with closing(AuditLog(database)) as log:
        assert not [action for action in log.actions() if action.startswith("customer.")]


MASKED = {
    "/v1/audit",
    "/v1/changes",
    "/v1/constraints",
    "/v1/constraints/{constraint_id}",
    "/v1/dead-letters",
    "/v1/dead-letters/{dead_letter_id}",  # told all the same: test_audit_acts
    "/v1/insights/live",
    "/v1/merge-logs",
    "/v1/merge-logs/{merge_log_id}",
    "/v1/profiles/{profile_id}/erasure",  # of what is no more
    "/v1/recommendations/{profile_id}",
    "/v1/reviews",
    "/v1/reviews/{review_id}",
    "/v1/steward-actions",
    "/v1/webhooks",
    "/v1/webhooks/{webhook_id}",
    "/v1/webhooks/{webhook_id}/deliveries",
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}",
}
"""Reads that show figures, ids, hashes, or values that are masked."""


async def test_every_read_of_customers_is_among_those(client: httpx.AsyncClient) -> None:
    """A new route has to be thought of here."""
    document = (await client.get("/openapi.json")).json()
    reads = {
        path
        for path, methods in document["paths"].items()
        if path.startswith("/v1/") and ("get" in methods or path.endswith(":search"))
    }
    assert reads == MASKED | {f"/v1/profiles/{{profile_id}}{part}" for part in PARTS} | {
        "/v1/profiles",
        "/v1/profiles:search",
        "/v1/profiles/{profile_id}/export",
    }


async def test_it_is_told_who_was_given_all_that_is_known(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog
) -> None:
    anna = home_of(stages, 1)
    given = {"X-Request-ID": "r-1", "X-Audit-Reason": "request 17"}
    answer = await client.get(f"/v1/profiles/{anna}/export", headers=given)
    assert shows_any(answer)
    assert told(log, "r-1") == [("customer.exported", [str(anna)])]


async def test_what_was_not_given_is_not_told(
    database: str,
    stages: StagesOnPostgres,
    log: AuditLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.server.MOST_EXPORTS", 0)
    async with gateway_over(database, tmp_path, monkeypatch) as client:
        answer = await client.get(f"/v1/profiles/{home_of(stages, 1)}/export")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert "customer.exported" not in log.actions()


async def test_all_that_is_known_is_not_given_untold(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog
) -> None:
    """And who asked in vain takes nobody's place."""
    tamper(log.dsn, "ALTER TABLE audit_entry ADD CONSTRAINT shut CHECK (at < '2000-01-01') NOT VALID")
    path = f"/v1/profiles/{home_of(stages, 1)}/export"
    for _ in range(MOST_EXPORTS + 1):
        answer = await client.get(path)
        assert answer.status_code == 503
        assert "audit log" in answer.json()["error"]["message"]
        assert not shows_any(answer)
    tamper(log.dsn, "ALTER TABLE audit_entry DROP CONSTRAINT shut")
    assert (await client.get(path)).status_code == 200


async def test_what_names_nobody_is_not_told(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog
) -> None:
    answer = await client.get(f"/v1/profiles/{home_of(stages, 3)}", headers={"X-Request-ID": "r-1"})
    assert answer.json()["identifiers"][0]["value"] == "d-…67"
    assert told(log, "r-1") == []


@pytest.mark.parametrize(
    ("sought", "by", "found"),
    [
        ({"identifiers": {"email": MAIL}}, ["identifiers.email"], [1]),
        ({"identifiers": {"email": "carla@example.org"}}, ["identifiers.email"], []),
        (
            {"person": {"first_name": "Anna", "last_name": "Bell", "date_of_birth": "1980-02-03"}},
            ["person.date_of_birth", "person.first_name", "person.last_name"],
            [1],
        ),
        ({"filter": {"identifier_types": ["device_id"]}}, ["filter.identifier_types"], [3]),
    ],
)
async def test_who_searched_is_told_but_not_for_what(
    client: httpx.AsyncClient,
    stages: StagesOnPostgres,
    log: AuditLog,
    sought: dict[str, object],
    by: list[str],
    found: list[int],
) -> None:
    answer = await client.post("/v1/profiles:search", json=sought, headers={"X-Request-ID": "r-1"})
    assert answer.status_code == 200, answer.text
    ((actor, profiles, _, _, request_id, details),) = log.told("customer.searched")
    assert (request_id, details) == ("r-1", {"by": by, "revealed": False})
    assert actor.startswith("api-key:")
    assert set(profiles) >= {home_of(stages, n) for n in found}
    assert bool(profiles) == bool(found)
    whole = str(log.rows("SELECT audit_entry::text FROM audit_entry")).lower()
    assert not any(value in whole for value in (*CLEAR, "carla@example.org"))


async def test_a_search_by_an_address_is_told_as_well(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog
) -> None:
    for email, found in ((MAIL, [home_of(stages, 1)]), ("carla@example.org", [])):
        await client.get("/v1/profiles", params={"email": email})
        _, profiles, _, _, _, details = log.told("customer.searched")[-1]
        assert (profiles, details) == (found, {"by": ["email"], "revealed": False})


async def test_why_by_whom_and_by_which_key_is_told(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog
) -> None:
    path, why = f"/v1/profiles/{home_of(stages, 1)}", "ticket 12, für den Kunden"
    await client.get(path, headers={"X-Audit-Reason": why.encode()})  # type: ignore[dict-item]
    (row,) = log.rows(
        "SELECT actor, api_key, api_key_id, reason FROM audit_entry WHERE action = 'customer.read'"
    )
    actor, key, key_id, reason = row
    assert (actor, reason) == (key, why)
    assert key == f"api-key:{key_id}"
    nobody = f"/v1/profiles/{home_of(stages, 3)}"
    for wrong in ("x" * 501, "a\tb"):
        for asked in (path, nobody, f"{nobody}?include=summary", f"{nobody}/identifiers"):
            answer = await client.get(asked, headers={"X-Audit-Reason": wrong})
            assert answer.status_code == 400, asked
            assert "X-Audit-Reason" in answer.json()["error"]["message"]
            assert not shows_any(answer)


async def test_what_cannot_be_told_is_not_shown(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog
) -> None:
    tamper(log.dsn, "ALTER TABLE audit_entry ADD CONSTRAINT shut CHECK (at < '2000-01-01') NOT VALID")
    anna = f"/v1/profiles/{home_of(stages, 1)}"
    now = datetime.now(UTC).isoformat().replace("+", "%2B")
    with capture_logs() as logs:
        for asked in (
            anna,
            f"{anna}?reveal=true",
            f"{anna}/history?as_of={now}",
            f"{anna}/identifiers?reveal=true",
        ):
            answer = await client.get(asked)
            assert answer.status_code == 503, asked
            assert answer.json()["error"]["code"] == "UNAVAILABLE"
            assert "audit log" in answer.json()["error"]["message"]
            assert int(answer.headers["Retry-After"]) >= 1
            assert not shows_any(answer)
    assert MAIL not in str(logs)
    search = await client.post("/v1/profiles:search", json={"identifiers": {"email": MAIL}})
    assert search.status_code == 503
    for open_ in (f"{anna}/summary", f"{anna}/events", f"{anna}/identifiers"):
        assert (await client.get(open_)).status_code == 200, open_
    tamper(log.dsn, "ALTER TABLE audit_entry DROP CONSTRAINT shut")
    assert (await client.get(anna)).status_code == 200


async def test_what_is_not_told_in_time_is_not_shown(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "_PATIENCE_S", 0.1)
    anna = f"/v1/profiles/{home_of(stages, 1)}"
    with log.database.transaction() as tx:
        tx.connection.execute("LOCK TABLE audit_entry IN SHARE MODE")
        answer = await client.get(anna)
        assert answer.status_code == 503
        assert not shows_any(answer)
    monkeypatch.setattr(audit_log, "_PATIENCE_S", 5.0)
    assert (await client.get(anna)).status_code == 200


async def test_reads_that_wait_together_are_told_together(
    client: httpx.AsyncClient, stages: StagesOnPostgres, log: AuditLog
) -> None:
    log.chain()
    anna = f"/v1/profiles/{home_of(stages, 1)}"
    answers = await asyncio.gather(*(client.get(anna, headers={"X-Request-ID": f"r-{n}"}) for n in range(40)))
    assert all(answer.status_code == 200 for answer in answers)
    assert all(len(told(log, f"r-{n}")) == 1 for n in range(40))
    ((transactions, entries),) = log.rows("SELECT count(*), sum(cardinality(entries)) FROM audit_unchained")
    assert entries == 40
    assert transactions < 20


def ended(log: AuditLog) -> None:
    """The connection by which reads are told of, ended as by a Postgres that is started anew."""
    assert log.rows(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name = 'gateway-audit' AND datname = current_database()"
    ) == [(True,)]


async def test_a_connection_that_postgres_ended_costs_no_reader_an_answer(
    client: httpx.AsyncClient,
    stages: StagesOnPostgres,
    log: AuditLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit_writer, "_UNUSED_S", 0.0)
    anna = f"/v1/profiles/{home_of(stages, 1)}"
    for n in range(3):
        answer = await client.get(anna, headers={"X-Request-ID": f"r-{n}"})
        assert answer.status_code == 200
        assert len(told(log, f"r-{n}")) == 1
        ended(log)


async def test_what_may_have_been_told_is_not_told_again(
    client: httpx.AsyncClient,
    stages: StagesOnPostgres,
    log: AuditLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that was in use until now is not asked whether it is there, and what was sent by it is sent once."""
    monkeypatch.setattr(audit_writer, "_UNUSED_S", 60.0)
    anna = f"/v1/profiles/{home_of(stages, 1)}"
    assert (await client.get(anna)).status_code == 200
    ended(log)
    answer = await client.get(anna, headers={"X-Request-ID": "r-1"})
    assert answer.status_code == 503
    assert not shows_any(answer)
    assert told(log, "r-1") == []
    assert (await client.get(anna, headers={"X-Request-ID": "r-2"})).status_code == 200
    assert len(told(log, "r-2")) == 1


async def test_a_connection_that_is_silent_is_given_up(
    log: AuditLog, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither end closes it, as where a machine is gone: no timeout of the server's helps."""
    monkeypatch.setattr(audit_writer, "_PATIENCE_S", 0.3)
    parts = conninfo_to_dict(database)
    with Proxies({"postgres": (port := free_port())}) as proxies:
        proxy = proxies["postgres"]
        proxy.target = int(parts["port"] or 5432)
        write = AuditWriter(make_conninfo(**{**parts, "host": "127.0.0.1", "port": port}))
        await write([entry(1)])
        for unused_s in (60.0, 0.0):  # the entries are sent, or it is asked first whether it is there
            monkeypatch.setattr(audit_writer, "_UNUSED_S", unused_s)
            with proxy.stalled():
                with pytest.raises(StoreUnavailable):
                    await asyncio.wait_for(write([entry(2)]), 20)
                proxy.cut()
            await write([entry(3)])
        await write.close()
    assert [details["number"] for *_, details in log.told("customer.read")] == [1, 3, 3]
