"""Reviews over HTTP: listed, looked at, answered, and refused in the envelope."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.integration.test_answers import RULES, doubt, home_of, proposal
from tests.support.pipeline import StagesOnPostgres, event

WHY = {"reason": "I know them"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


async def test_a_merge_is_read_and_approved(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    review = str(doubt(stages))
    older = str(home_of(stages, 1))
    one = (await client.get(f"/v1/reviews/{review}")).json()
    assert (await client.get("/v1/reviews")).json()["data"] == [one]
    assert (one["kind"], one["status"], one["answered_by"]) == ("merge", "pending", None)
    answer = await client.post(f"/v1/reviews/{review}/approve", json={**WHY, "actor": "ann"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["status"], body["profiles"]) == ("approved", [older])
    (logged,) = (await client.get("/v1/merge-logs")).json()["data"]
    assert [logged["merge_log_id"]] == body["merge_log_ids"]
    assert (logged["actor"], logged["reason"]) == ("ann", "I know them")
    (answered,) = (await client.get("/v1/reviews", params={"status": "approved"})).json()["data"]
    assert (answered["answered_by"], answered["answer_reason"]) == ("ann", "I know them")
    again = await client.post(f"/v1/reviews/{review}/approve", json=WHY)
    assert (again.status_code, again.json()["merge_log_ids"]) == (200, [])


async def test_a_split_is_read_and_rejected(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    review = str(proposal(stages))
    (listed,) = (await client.get("/v1/reviews", params={"kind": "split"})).json()["data"]
    assert listed["review_id"] == review
    assert listed["low_profile"] == listed["high_profile"]
    merges = (await client.get("/v1/reviews", params={"kind": "merge"})).json()
    assert {r["kind"] for r in merges["data"]} == {"merge"}
    assert merges["pagination"]["total"] == len(merges["data"])
    body = (await client.post(f"/v1/reviews/{review}/reject", json=WHY)).json()
    assert (body["kind"], body["status"], body["profiles"]) == ("split", "rejected", [listed["low_profile"]])
    (answered,) = (await client.get("/v1/reviews", params={"status": "rejected"})).json()["data"]
    assert answered["answered_by"].startswith("api-key:")


async def test_what_cannot_be_answered_is_an_error_of_the_caller(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    stale = str(doubt(stages))
    stages.send(event(3, {"phone": "+14155550101"}))
    stages.send(event(4, {"phone": "+14155550101", "loyalty_id": "L-1001"}))
    answered = str(stages.review())
    assert stale != answered
    assert (await client.post(f"/v1/reviews/{answered}/reject", json=WHY)).status_code == 200
    for path, body, status in (
        (f"/v1/reviews/{stale}/approve", WHY, 409),
        (f"/v1/reviews/{answered}/approve", WHY, 409),
        (f"/v1/reviews/{uuid4()}/reject", WHY, 404),
        (f"/v1/reviews/{answered}/reject", {}, 400),
        (f"/v1/reviews/{answered}/reject", {"reason": ""}, 400),
        (f"/v1/reviews/{answered}/reject", {**WHY, "bulk": True}, 400),
        ("/v1/reviews/7/reject", WHY, 400),
    ):
        answer = await client.post(path, json=body)
        assert answer.status_code == status, path
        assert answer.json()["error"]["message"]
    for path, status in {
        f"/v1/reviews/{uuid4()}": 404,
        "/v1/reviews/7": 400,
        "/v1/reviews?kind=x": 400,
    }.items():
        assert (await client.get(path)).status_code == status, path
    client.headers["Authorization"] = "Bearer wrong"
    assert (await client.post(f"/v1/reviews/{answered}/reject", json=WHY)).status_code == 401
