"""Identifiers are masked, and shown to whom asks for them and may; who read them is told."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from tests.support.pipeline import StagesOnPostgres

MAIL, PHONE, NATIONAL = "anna@postbox.io", "+14155550101", "412-68-9031"


@pytest.fixture
def stored(database: str) -> None:
    traits = {"first_name": "Anna", "national_id": NATIONAL}
    event = {"source": "web", "event_type": "visit", "identifiers": {"email": MAIL, "phone": PHONE}}
    StagesOnPostgres(database).send({**event, "traits": traits})


@pytest.mark.usefixtures("stored")
async def test_identifiers_are_shown_to_whom_asks(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        (masked,) = (await client.get("/v1/profiles", params={"email": MAIL})).json()["data"]
        path = f"/v1/profiles/{masked['profile_id']}"
        again = (await client.get(path)).json()
    assert again["identifiers"] == masked["identifiers"]
    assert not {MAIL, PHONE} & {i["value"] for i in masked["identifiers"]}
    assert NATIONAL.replace("-", "") not in str(masked)
    assert not any(line["event"] == "identifiers revealed" for line in logs)

    for asked, params in ((path, {}), ("/v1/profiles", {"email": MAIL})):
        with capture_logs() as logs:
            answer = await client.get(
                asked, params={**params, "reveal": "true"}, headers={"X-Request-ID": "r-7"}
            )
        body = answer.json()
        (shown,) = body.get("data", [body])
        assert {i["type"]: i["value"] for i in shown["identifiers"]} == {"email": MAIL, "phone": PHONE}
        assert shown["golden_record"]["email"]["value"] == MAIL
        assert NATIONAL.replace("-", "") in shown["golden_record"]["national_id"]["value"]
        assert answer.headers["Cache-Control"] == "no-store"
        (told,) = (line for line in logs if line["event"] == "identifiers revealed")
        assert (told["profile_id"], told["request_id"]) == (masked["profile_id"], "r-7")
        assert told["actor"].startswith("api-key:")
        assert MAIL not in str(logs)
