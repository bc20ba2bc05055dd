"""Identifiers are masked, and shown to whom asks for them and may; who read them is told in the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest

from pipeline.unmerge.asked import Asked
from pipeline.unmerge.taking_out import take_out
from tests.integration.test_answers import RULES, home_of
from tests.integration.test_unmerge import CARD, chain, record
from tests.support.audit import AuditLog
from tests.support.pipeline import StagesOnPostgres

MAIL, PHONE, NATIONAL = "anna@postbox.io", "+14155550101", "412-68-9031"


@pytest.fixture
def stored(database: str) -> None:
    traits = {"first_name": "Anna", "national_id": NATIONAL}
    event = {"source": "web", "event_type": "visit", "identifiers": {"email": MAIL, "phone": PHONE}}
    StagesOnPostgres(database).send({**event, "traits": traits})


@pytest.fixture
def log(database: str) -> Iterator[AuditLog]:
    with closing(AuditLog(database)) as opened:
        yield opened


@pytest.mark.usefixtures("stored")
async def test_identifiers_are_shown_to_whom_asks(client: httpx.AsyncClient, log: AuditLog) -> None:
    (masked,) = (await client.get("/v1/profiles", params={"email": MAIL})).json()["data"]
    path = f"/v1/profiles/{masked['profile_id']}"
    again = (await client.get(path)).json()
    assert again["identifiers"] == masked["identifiers"]
    assert not {MAIL, PHONE} & {i["value"] for i in masked["identifiers"]}
    assert NATIONAL.replace("-", "") not in str(masked)
    assert not log.told("customer.revealed")

    for asked, params in ((path, {}), ("/v1/profiles", {"email": MAIL})):
        answer = await client.get(asked, params={**params, "reveal": "true"}, headers={"X-Request-ID": "r-7"})
        body = answer.json()
        (shown,) = body.get("data", [body])
        assert {i["type"]: i["value"] for i in shown["identifiers"]} == {"email": MAIL, "phone": PHONE}
        assert shown["golden_record"]["email"]["value"] == MAIL
        assert NATIONAL.replace("-", "") in shown["golden_record"]["national_id"]["value"]
        assert answer.headers["Cache-Control"] == "no-store"
        actor, profiles, *_, request_id, details = log.told()[-1]
        assert ([str(p) for p in profiles], request_id) == ([masked["profile_id"]], "r-7")
        assert details == ({"by": ["email"], "revealed": True} if params else {})
        assert actor.startswith("api-key:")
    assert MAIL not in str(log.rows("SELECT audit_entry::text FROM audit_entry"))


async def test_whose_identifiers_moved_away_is_told_as_well(
    client: httpx.AsyncClient, database: str, log: AuditLog
) -> None:
    with closing(StagesOnPostgres(database, rules=RULES)) as stages:
        chain(stages)
        before, left = datetime.now(UTC), [record(stages, 4), record(stages, 5)]
        asked = Asked("ann", "not theirs", datetime.now(UTC))
        take_out(stages.stewardship(), home_of(stages, 1), left, [], asked)
        kept, gone = str(home_of(stages, 1)), str(home_of(stages, 4))
    assert kept != gone
    for part, query in (("identifiers", {}), ("history", {"as_of": before.isoformat()})):
        answer = await client.get(f"/v1/profiles/{kept}/{part}", params={**query, "reveal": "true"})
        assert CARD["loyalty_id"] in [i["value"] for i in answer.json()["identifiers"]]
        _, profiles, *_ = log.told("customer.revealed")[-1]
        told = [str(profile) for profile in profiles]
        assert gone in told
        assert kept in told
        assert len(told) == len(set(told))
