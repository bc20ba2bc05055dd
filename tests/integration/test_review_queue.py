"""Reviews that are given to stewards and put aside, over HTTP; and what a list is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.integration.test_answers import RULES, doubt, home_of, proposal
from tests.support.pipeline import StagesOnPostgres

Json = dict[str, object]


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


def ahead(**by: int) -> str:
    return (datetime.now(UTC) + timedelta(**by)).isoformat()


async def listed(client: httpx.AsyncClient, **wanted: object) -> set[str]:
    answer = await client.get("/v1/reviews", params={"limit": 100, **wanted})  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["pagination"]["total"] == len(body["data"])
    return {review["review_id"] for review in body["data"]}


async def post(client: httpx.AsyncClient, path: str, body: Json, etag: str | None = None) -> tuple[int, Json]:
    answer = await client.post(path, json=body, headers={"If-Match": etag} if etag else {})
    told = answer.json()
    if answer.status_code == 200:
        assert answer.headers["ETag"] == told["etag"]
    return answer.status_code, told.get("error", told)


async def test_a_review_is_somebodys_until_it_is_given_on(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    review = str(doubt(stages))
    path = f"/v1/reviews/{review}/assign"
    status, taken = await post(client, path, {"assigned_to": "ann", "actor": "ann"})
    assert (status, taken["assigned_to"]) == (200, "ann")
    assert await post(client, path, {"assigned_to": "ann", "actor": "ben"}) == (200, taken)
    for wanted in ("ben", None):
        status, error = await post(client, path, {"assigned_to": wanted, "actor": "ben"})
        assert (status, error["code"]) == (409, "CONFLICT")
        assert "is assigned to ann" in str(error["message"])
    status, given = await post(client, path, {"assigned_to": "ben", "actor": "ann", "reason": "he knows"})
    assert (status, given["assigned_to"]) == (200, "ben")
    status, error = await post(client, path, {"assigned_to": "cem", "actor": "cem"}, str(taken["etag"]))
    assert (status, error["code"]) == (412, "PRECONDITION_FAILED")
    status, found = await post(client, path, {"assigned_to": None, "actor": "cem"}, str(given["etag"]))
    assert (status, found["assigned_to"]) == (200, None)
    assert len({taken["etag"], given["etag"], found["etag"]}) == 3
    assert (await client.get(f"/v1/reviews/{review}")).json() == found


async def test_a_review_that_is_put_aside_comes_back_by_itself(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    review = str(doubt(stages))
    path = f"/v1/reviews/{review}/skip"
    before = (await client.get(f"/v1/reviews/{review}")).json()["etag"]
    why = {"reason": "her shop is asked", "actor": "ann"}
    status, aside = await post(client, path, {**why, "until": ahead(days=2)}, before)
    assert (status, aside["status"], aside["skip_reason"]) == (200, "pending", "her shop is asked")
    assert (await post(client, path, {**why, "until": ahead(days=3)}, before))[0] == 412
    assert await listed(client) == set()
    assert await listed(client, skipped="only") == await listed(client, skipped="include") == {review}
    with stages.database.transaction() as tx:  # two days pass
        tx.connection.execute("UPDATE review_queue SET skipped_until = now() - interval '1 second'")
    assert await listed(client) == {review}
    assert await listed(client, skipped="only") == set()
    # an answer outlasts what was put aside
    assert (await post(client, path, {**why, "until": ahead(days=3)}))[0] == 200
    assert (await client.post(f"/v1/reviews/{review}/reject", json=why)).status_code == 200
    assert await listed(client, status="rejected") == {review}


async def test_what_cannot_be_is_refused_with_the_field(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    review = f"/v1/reviews/{doubt(stages)}"
    for act, body, field in (
        ("skip", {"reason": "x", "until": ahead(seconds=-1)}, "until: it has passed"),
        ("skip", {"reason": "x", "until": ahead(days=367)}, "until: it is more than 366 days ahead"),
        ("skip", {"reason": "x", "until": "9999-12-31T23:59:59-23:59"}, "until: "),
        ("skip", {"reason": "x", "until": "2027-01-01T00:00:00"}, "with its time zone"),
        ("skip", {"reason": "\x1f ", "until": ahead(days=1)}, "body.reason: "),
        ("skip", {"until": ahead(days=1)}, "body.reason: "),
        ("assign", {}, "body.assigned_to: "),
        ("assign", {"assigned_to": ""}, "body.assigned_to: "),
        ("assign", {"assigned_to": "a\x00"}, "body.assigned_to: "),
        ("assign", {"assigned_to": "ann", "reason": "  "}, "body.reason: "),
    ):
        status, error = await post(client, f"{review}/{act}", body)
        assert status == 400, body
        assert field in str(error["message"]), error
    for wanted in (
        {"unassigned": True, "assigned_to": "ann"},
        {"min_score": 0.9, "max_score": 0.1},
        {"min_score": 2},
        {"reason": "because"},
        {"assigned_to": "a\x00"},
        {"profile_id": 7},
        {"skipped": "maybe"},
    ):
        answer = await client.get("/v1/reviews", params=wanted)  # type: ignore[arg-type]
        assert answer.status_code == 400, wanted
    assert (await client.post(f"{review}/reject", json={"reason": "two"})).status_code == 200
    for act, body in (("assign", {"assigned_to": "ann"}), ("skip", {"reason": "x", "until": ahead(days=1)})):
        assert (await post(client, f"{review}/{act}", body))[0] == 409
        assert (await post(client, f"/v1/reviews/{'0' * 32}/{act}", body))[0] == 404


async def test_a_list_holds_what_is_asked_for(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    split = str(proposal(stages))
    everything = {r["review_id"]: r for r in (await client.get("/v1/reviews?limit=100")).json()["data"]}
    others = everything.keys() - {split}
    assert others
    await post(client, f"/v1/reviews/{split}/assign", {"assigned_to": "ann"})
    assert await listed(client, assigned_to="ann") == await listed(client, kind="split") == {split}
    assert await listed(client, unassigned=True) == others
    reason = everything[split]["reason"]
    assert await listed(client, reason=reason) == {i for i, r in everything.items() if r["reason"] == reason}
    assert await listed(client, reason="cannot_link") == set()
    large = str(home_of(stages, 1))
    about = {i for i, r in everything.items() if large in (r["low_profile"], r["high_profile"])}
    assert await listed(client, profile_id=large) == about >= {split}
    scores = sorted(r["confidence_score"] for r in everything.values())
    assert await listed(client, min_score=scores[0], max_score=scores[-1]) == everything.keys()
    above = {i for i, r in everything.items() if r["confidence_score"] > scores[0]}
    assert await listed(client, min_score=scores[0] + 1e-9) == above
    assert await listed(client, max_score=scores[0]) == everything.keys() - above
