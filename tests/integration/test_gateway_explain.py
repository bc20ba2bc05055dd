"""What the gateway answers about a decision."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree as Xml

import httpx
import pytest

from tests.support.gateway import gateway_over
from tests.support.pipeline import StagesOnPostgres, event

ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}


@pytest.fixture
def profiles(database: str) -> tuple[str, str, str]:
    """Two customers whom a loyalty id parts, and one of whom two records speak."""
    stages = StagesOnPostgres(database)
    stages.send(event(1, {"loyalty_id": "L-1001", "email": "anna@mailbox.net"}, traits=ANNA))
    stages.send(event(2, {"loyalty_id": "L-2002", "email": "anna@mailbox.net"}, traits=ANNA))
    stages.send(event(3, {"loyalty_id": "L-2002", "cookie_id": "c-1"}, traits=ANNA))
    found = stages.rows(
        "SELECT r.profile_id::text, r.record_id::text FROM event e JOIN identity_record r USING (record_id) "
        "ORDER BY e.event_id"
    )
    stages.close()
    return found[0][0], found[1][0], found[2][1]


async def test_two_are_explained(client: httpx.AsyncClient, profiles: tuple[str, str, str]) -> None:
    one, other, _ = profiles
    answer = await client.get(f"/v1/profiles/{one}/explain", params={"with": other})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["kind"], body["decided_by"]) == ("pair", "review")
    found = body["explanation"]
    assert (found["verdict"], found["reason"]) == ("review", "veto_exclusive_identifier")
    assert found["would_change"][0]["smallest"][0]["changes"] == [
        {"attribute": "loyalty_id", "becomes": "absent"}
    ]
    assert {a["attribute"]: a["left"] for a in found["best"]["attributes"]}["email"] == ["a***@m***.net"]
    assert "anna@" not in answer.text


async def test_a_profile_is_explained(client: httpx.AsyncClient, profiles: tuple[str, str, str]) -> None:
    _, other, record = profiles
    answer = await client.get(f"/v1/profiles/{other}/explain")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["kind"] == "profile"
    assert len(body["tree"]["links"]) == 1
    assert [step["kind"] for step in body["story"]] == ["created", "linked"]
    assert body["story"][1]["records"] == [record]


async def test_the_same_as_text_and_as_a_picture(
    client: httpx.AsyncClient, profiles: tuple[str, str, str]
) -> None:
    one, other, _ = profiles
    text = await client.get(f"/v1/profiles/{one}/explain", params={"with": other, "format": "text"})
    assert text.headers["content-type"].startswith("text/plain")
    assert "the loyalty id were not known" in text.text
    for query in ({"with": other, "format": "svg"}, {"format": "svg"}):
        asked = one if "with" in query else other
        picture = await client.get(f"/v1/profiles/{asked}/explain", params=query)
        assert picture.headers["content-type"] == "image/svg+xml"
        assert Xml.fromstring(picture.text).tag.endswith("svg")


async def test_what_cannot_be_explained_is_an_error_of_the_caller(
    client: httpx.AsyncClient, profiles: tuple[str, str, str]
) -> None:
    one, *_ = profiles
    for path, status in {
        f"/v1/profiles/{uuid4()}/explain": 404,
        f"/v1/profiles/{one}/explain?with={uuid4()}": 404,
        f"/v1/profiles/{one}/explain?with={one}": 400,
        f"/v1/profiles/{one}/explain?with=7": 400,
        f"/v1/profiles/{one}/explain?format=pdf": 400,
        f"/v1/profiles/{one}/explain?format=svg": 404,  # a single record: nothing to draw
    }.items():
        answer = await client.get(path)
        assert answer.status_code == status, path
        assert answer.json()["error"]["message"]


async def test_who_decided_and_why_is_for_keys_of_stewards(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = StagesOnPostgres(database)
    for n, identifiers in enumerate(({"email": "a@mailbox.net"}, {"email": "b@mailbox.net"})):
        stages.send(event(n, identifiers))
    one, other = (p for (p,) in stages.rows("SELECT profile_id::text FROM customer_profile ORDER BY 1"))
    stages.close()
    said = {"reason": "seen at the till", "actor": "Mrs Marple"}
    async with gateway_over(database, tmp_path, monkeypatch, api_keys="k,r:read") as client:
        joined = await client.post("/v1/profiles:merge", json={"profiles": [one, other], **said})
        assert joined.status_code == 200, joined.text

        async def told(key: str, **asked: str) -> str:
            headers = {"Authorization": f"Bearer {key}"}
            return (await client.get(f"/v1/profiles/{one}/explain", params=asked, headers=headers)).text

        for asked in ({}, {"format": "text"}):
            for words in said.values():
                assert words in await told("k", **asked)
                assert words not in await told("r", **asked)
            assert "a person" in await told("r", **asked)
