"""Dead letters over HTTP: listed, looked at, mended, replayed and dropped, and refused in the envelope."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from pipeline.api_keys.secret import hash_of
from pipeline.stream.batch import Message
from tests.integration.test_dead_letters import bad, refuse
from tests.support.letters import Letterbox

ANN = f"ann by api-key:{hash_of(b'k').hex()[:16]}"
MEND = {"set": {"identifiers.phone": "+14155552671"}, "reason": "the till sent numbers"}


@pytest.fixture
def box(database: str) -> Iterator[Letterbox]:
    made = Letterbox(database)
    yield made
    made.close()


async def test_a_letter_is_read_mended_and_replayed(client: httpx.AsyncClient, box: Letterbox) -> None:
    box.send(bad())
    (listed,) = (await client.get("/v1/dead-letters")).json()["data"]
    path = f"/v1/dead-letters/{listed['dead_letter_id']}"
    detail = (await client.get(path)).json()
    assert detail["letter"] == listed
    assert detail["message"]["fields"]["traits"] == {"first_name": "J***", "last_name": "R***"}
    assert "identifiers.phone" in detail["unreplayable"]
    refused = await client.post(f"{path}/replay", json={})
    assert refused.status_code == 409
    assert "identifiers.phone" in refused.json()["error"]["message"]
    edited = await client.patch(path, json={**MEND, "actor": "ann"})
    assert edited.status_code == 200, edited.text
    assert edited.json()["unreplayable"] is None
    dry = await client.post(f"{path}/replay", json={"dry_run": True})
    assert (dry.json()["done"], dry.json()["dry_run"]) == (1, True)
    assert (await client.get("/v1/dead-letters")).json()["pagination"]["total"] == 1
    done = await client.post(f"{path}/replay", json={})
    assert (done.status_code, done.json()["done"]) == (200, 1)
    again = await client.post(f"{path}/replay", json={})
    assert (again.status_code, again.json()["done"], again.json()["unchanged"]) == (200, 0, 1)
    box.pump()
    assert len(box.events()) == 1
    assert (await client.get("/v1/dead-letters")).json()["data"] == []
    actions = (await client.get(path)).json()["actions"]
    assert [(a["action"], a["fields"]) for a in actions] == [
        ("edited", ["identifiers.phone"]),
        ("replayed", []),
    ]
    assert (actions[0]["actor"], actions[0]["reason"]) == (ANN, "the till sent numbers")
    assert actions[1]["actor"].startswith("api-key:")


async def test_a_reopened_letter_says_so(client: httpx.AsyncClient, box: Letterbox) -> None:
    message = Message("events.raw", 0, 0, datetime(2026, 1, 1, tzinfo=UTC), None, bad())
    for _ in range(2):
        box.deliver(refuse(box, message))
        path = f"/v1/dead-letters/{box.one()}"
        dropped = await client.post(f"{path}/drop", json={"reason": "a test"})
        assert dropped.json()["done"] == 1
    actions = (await client.get(path)).json()["actions"]
    assert [a["action"] for a in actions] == ["dropped", "reopened", "dropped"]


async def test_letters_are_chosen_and_paged(client: httpx.AsyncClient, box: Letterbox) -> None:
    for number in range(5):
        box.send(bad(event_id=f"v-{number}"))
    box.send(b"hello")
    pages = [
        (await client.get("/v1/dead-letters", params={"limit": 2, "page": page})).json() for page in (1, 2, 3)
    ]
    assert {p["pagination"]["total"] for p in pages} == {6}
    found = [letter["dead_letter_id"] for p in pages for letter in p["data"]]
    assert found == [str(letter.dead_letter_id) for letter in box.waiting()]
    newest = box.waiting()[0].failed_at
    for chosen, count in (
        ({"reason": "undecodable"}, 1),
        ({"stage": "normalize"}, 6),
        ({"stage": "resolve"}, 0),
        ({"topic": "events.raw", "reason": "schema_violation"}, 5),
        ({"since": newest.isoformat()}, 1),
        ({"until": newest.isoformat()}, 5),
        ({"since": (newest + timedelta(seconds=1)).isoformat()}, 0),
        ({"status": "replayed"}, 0),
    ):
        answer = await client.get("/v1/dead-letters", params=chosen)
        assert answer.json()["pagination"]["total"] == count, chosen
    body = {"choose": {"reason": "schema_violation", "until": newest.isoformat()}}
    dry = (await client.post("/v1/dead-letters:replay", json={**body, "dry_run": True})).json()
    assert (dry["done"], dry["refused"], len(dry["untouched"])) == (0, 5, 5)
    for letter in box.waiting():
        if letter.reason == "schema_violation":
            await client.patch(f"/v1/dead-letters/{letter.dead_letter_id}", json=MEND)
    assert (await client.post("/v1/dead-letters:replay", json=body)).json()["done"] == 5
    ids = {"ids": [found[0], str(uuid4())], "reason": "noise"}
    assert (await client.post("/v1/dead-letters:drop", json={**ids, "dry_run": True})).json()["done"] == 1
    dropped = (await client.post("/v1/dead-letters:drop", json=ids)).json()
    assert (dropped["action"], dropped["done"], dropped["refused"]) == ("dropped", 1, 1)
    detail = (await client.get(f"/v1/dead-letters/{found[0]}")).json()
    assert (detail["letter"]["status"], detail["message"]) == ("dropped", None)


async def test_what_cannot_be_done_is_an_error_of_the_caller(
    client: httpx.AsyncClient, box: Letterbox
) -> None:
    box.send(bad())
    path = f"/v1/dead-letters/{box.one()}"
    unknown = f"/v1/dead-letters/{uuid4()}"
    why = {"reason": "noise"}
    for method, where, body, status in (
        ("GET", unknown, None, 404),
        ("PATCH", unknown, MEND, 404),
        ("POST", f"{unknown}/replay", {}, 404),
        ("POST", f"{unknown}/drop", why, 404),
        ("GET", "/v1/dead-letters/7", None, 400),
        ("GET", "/v1/dead-letters?since=soon", None, 400),
        ("GET", "/v1/dead-letters?status=any", None, 400),
        ("PATCH", path, {}, 400),
        ("PATCH", path, {"put": {}}, 400),
        ("PATCH", path, {"set": {"traits.city": "Ulm"}}, 400),
        ("PATCH", path, {**MEND, "event": {}}, 400),
        ("POST", f"{path}/drop", {}, 400),
        ("POST", f"{path}/drop", {"reason": ""}, 400),
        ("POST", "/v1/dead-letters:replay", {}, 400),
        ("POST", "/v1/dead-letters:replay", {"ids": []}, 400),
        ("POST", "/v1/dead-letters:replay", {"choose": {"color": "red"}}, 400),
        ("POST", "/v1/dead-letters:replay", {"choose": {}, "ids": [str(uuid4())]}, 400),
        ("POST", "/v1/dead-letters:drop", {"choose": {}}, 400),
    ):
        answer = await client.request(method, where, json=body)
        assert answer.status_code == status, (method, where, body, answer.text)
        assert answer.json()["error"]["message"]
    wrong = (await client.patch(path, json={"set": {"traits.city": "Ulm"}})).json()["error"]
    assert wrong["details"][0]["field"] == "identifiers.phone"
    await client.post(f"{path}/drop", json=why)
    assert (await client.patch(path, json=MEND)).status_code == 409
    client.headers["Authorization"] = "Bearer wrong"
    assert (await client.get(path)).status_code == 401
