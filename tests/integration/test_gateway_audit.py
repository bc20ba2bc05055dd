"""The audit log over HTTP: read by who, what, about whom and when, page by page, and by whom alone may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest

from client import ask
from pipeline.audit.actions import Action
from pipeline.audit.entry import AuditEntry
from pipeline.store.audit import write_audit
from tests.support.audit import AT, AuditLog, tamper, told
from tests.support.gateway import gateway_over

Json = dict[str, object]
REVIEW = "019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0"


@pytest.fixture
def log(database: str) -> Iterator[AuditLog]:
    tamper(database, "TRUNCATE audit_entry, audit_unchained")
    with closing(AuditLog(database)) as opened:
        opened.write(*range(1, 6))
        with opened.database.transaction() as tx:
            later = AT + timedelta(hours=1)
            write_audit(
                tx,
                AuditEntry(Action.STEWARD_SKIP, "ann", later, objects=[f"review:{REVIEW}"], reason="later"),
            )
        yield opened


async def listed(client: httpx.AsyncClient, **asked: object) -> list[Json]:
    answer = await client.get("/v1/audit", params=asked)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    assert answer.json()["next"] is None
    return cast(list[Json], answer.json()["data"])


def numbers(entries: list[Json]) -> list[object]:
    return [cast(Json, entry["details"]).get("number") for entry in entries]


async def test_entries_are_read_with_their_place_in_the_chain(
    client: httpx.AsyncClient, log: AuditLog
) -> None:
    assert [entry["seq"] for entry in await listed(client)] == [None] * 6
    head = log.chain()
    entries = await listed(client)
    assert [entry["seq"] for entry in entries] == [6, 5, 4, 3, 2, 1]
    assert entries[0]["hash"] == head.hash.hex()
    assert entries[1] == {
        "entry_id": entries[1]["entry_id"],
        "at": "2026-01-31T12:00:00Z",
        "actor": "shop-app",
        "action": "customer.read",
        "profiles": ["00000000-0000-0000-0000-000000000005"],
        "objects": [],
        "reason": "asked",
        "request_id": "r-5",
        "api_key": "shop-app",
        "api_key_id": "0123456789abcdef",
        "details": {"number": 5},
        "seq": 5,
        "hash": entries[1]["hash"],
    }


async def test_entries_are_chosen(client: httpx.AsyncClient, log: AuditLog) -> None:
    assert numbers(await listed(client, actor="shop-app")) == [5, 4, 3, 2, 1]
    assert [e["actor"] for e in await listed(client, actor="ann")] == ["ann"]
    assert await listed(client, actor="ben") == []
    assert len(await listed(client, action="steward.skip")) == 1
    assert len(await listed(client, action=["steward.skip", "customer.read"])) == 6
    assert numbers(await listed(client, about="00000000-0000-0000-0000-000000000003")) == [3]
    for about in (REVIEW, f"review:{REVIEW}"):
        assert [e["actor"] for e in await listed(client, about=about)] == ["ann"]
    assert await listed(client, about=f"webhook:{REVIEW}") == []
    hour = (AT + timedelta(hours=1)).isoformat()
    assert [e["actor"] for e in await listed(client, since=hour)] == ["ann"]
    assert len(await listed(client, until=hour)) == 5
    for wrong in (
        {"action": "customer.seen"},
        {"about": "x"},
        {"about": "shop:7"},
        {"since": "2026-01-01"},
        {"limit": 0},
    ):
        assert (await client.get("/v1/audit", params=wrong)).status_code == 400, wrong  # type: ignore[arg-type]


async def test_pages_are_not_moved_by_what_comes(client: httpx.AsyncClient, log: AuditLog) -> None:
    first = (await client.get("/v1/audit", params={"actor": "shop-app", "limit": 2})).json()
    log.write(6)
    second = (
        await client.get("/v1/audit", params={"actor": "shop-app", "limit": 2, "cursor": first["next"]})
    ).json()
    third = (
        await client.get("/v1/audit", params={"actor": "shop-app", "limit": 2, "cursor": second["next"]})
    ).json()
    assert [numbers(page["data"]) for page in (first, second, third)] == [[5, 4], [3, 2], [1]]
    assert third["next"] is None
    other = await client.get("/v1/audit", params={"actor": "ann", "cursor": first["next"]})
    assert other.status_code == 400


async def test_entries_come_by_their_time_however_late_they_were_written(
    client: httpx.AsyncClient, log: AuditLog
) -> None:
    """Of one time the later written first; page by page no other than all at once."""
    with log.database.transaction() as tx:
        for hours in (-1, 2, 0):
            write_audit(tx, AuditEntry(Action.STAGE_RESUMED, f"{hours}", AT + timedelta(hours=hours)))
    everything = [entry["actor"] for entry in await listed(client)]
    assert everything == ["2", "ann", "0", *["shop-app"] * 5, "-1"]
    paged: list[Json] = []
    cursor: str | None = None
    while cursor is not None or not paged:
        page = (await client.get("/v1/audit", params={"limit": 2, "cursor": cursor or ""})).json()
        paged += page["data"]
        cursor = page["next"]
    assert paged == await listed(client)


async def test_an_entry_of_no_time_keeps_nobody_from_reading_the_others(
    client: httpx.AsyncClient, log: AuditLog, database: str
) -> None:
    tamper(database, "UPDATE audit_entry SET at = 'infinity' WHERE actor = 'ann'")
    assert numbers(await listed(client)) == [5, 4, 3, 2, 1]


async def test_it_has_a_scope_of_its_own(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = "admin:admin+steward+read+read:pii+ingest,auditor:audit"
    async with gateway_over(database, tmp_path, monkeypatch, api_keys=keys) as client:
        for key, status in (("admin", 403), ("auditor", 200)):
            answer = await client.get("/v1/audit", headers={"Authorization": key})
            assert answer.status_code == status
        assert (await client.get("/v1/dead-letters", headers={"Authorization": "auditor"})).status_code == 403


async def test_an_action_of_a_later_version_is_told_all_the_same(
    client: httpx.AsyncClient, log: AuditLog, database: str
) -> None:
    tamper(database, "UPDATE audit_entry SET action = 'person.forgotten' WHERE actor = 'ann'")
    assert (await listed(client))[0]["action"] == "person.forgotten"


async def test_a_client_reads_it(client: httpx.AsyncClient, log: AuditLog) -> None:
    call = ask.audit(actor="shop-app", since=AT, limit=3)
    answer = await client.request(
        call.method, call.path, params={k: v for k, v in call.query.items() if v is not None}
    )
    page = call.read(answer.content)
    assert [entry.details["number"] for entry in page.data] == [5, 4, 3]
    assert page.next
    assert told(5).actor == page.data[0].actor
