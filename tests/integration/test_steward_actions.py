"""The trail of what stewards do: an entry for every act, in its transaction, which nobody changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import httpx
import psycopg
import pytest

from pipeline.answer import Answer
from tests.integration.test_answers import RULES, doubt, home_of, proposal
from tests.integration.test_joining import strangers
from tests.integration.test_reviews_in_bulk import doubts
from tests.integration.test_unmerge import chain, record
from tests.support.pipeline import StagesOnPostgres

Json = dict[str, object]
WHY = {"reason": "I know them", "actor": "ann"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


async def done(client: httpx.AsyncClient, path: str, body: Json, request_id: str = "r") -> Json:
    answer = await client.post(path, json=body, headers={"X-Request-ID": request_id})
    assert answer.status_code == 200, answer.text
    return cast(Json, answer.json())


async def trail(client: httpx.AsyncClient, **wanted: object) -> list[Json]:
    answer = await client.get("/v1/steward-actions", params=wanted)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    assert answer.json()["pagination"]["total"] == len(answer.json()["data"])
    return cast(list[Json], answer.json()["data"])


async def test_what_is_done_about_a_review_is_told(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    review = str(doubt(stages))
    path, both = f"/v1/reviews/{review}", sorted(str(home_of(stages, n)) for n in (1, 2))
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await done(client, f"{path}/assign", {"assigned_to": "ben", "actor": "ann"}, "give")
    await done(client, f"{path}/assign", {"assigned_to": "ben", "actor": "ann"}, "give-again")
    await done(client, f"{path}/skip", {**WHY, "until": until}, "skip")
    answered = await done(client, f"{path}/approve", {"reason": "two cards"}, "answer")
    await done(client, f"{path}/approve", WHY, "answer-again")
    refused = await client.post(f"{path}/reject", json=WHY)
    assert refused.status_code == 409
    approve, skip, assign = await trail(client)
    assert [a["act"] for a in (approve, skip, assign)] == ["approve", "skip", "assign"]
    assert [a["request_id"] for a in (approve, skip, assign)] == ["answer", "skip", "give"]
    assert [a["reason"] for a in (approve, skip, assign)] == ["two cards", "I know them", None]
    assert assign["details"] == {"assigned_to": "ben", "was_assigned_to": None}
    assert datetime.fromisoformat(str(cast(Json, skip["details"])["until"])) == datetime.fromisoformat(until)
    assert approve["merge_log_ids"] == answered["merge_log_ids"]
    for action in (approve, skip, assign):
        assert (action["review_id"], action["profiles"], action["in_bulk"]) == (review, both, False)
        assert str(action["api_key"]).startswith("api-key:")
    # who names nobody acts by the name of the key
    assert [a["actor"] for a in (approve, skip, assign)] == [approve["api_key"], "ann", "ann"]


async def test_what_is_done_about_profiles_is_told(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    one, two, _ = strangers(stages)
    join: Json = {**WHY, "profiles": [str(one), str(two)]}
    await done(client, "/v1/profiles:merge", {**join, "dry_run": True})
    (merge,) = cast(list[str], (await done(client, "/v1/profiles:merge", join))["merge_log_ids"])
    undo = f"/v1/merge-logs/{merge}/rollback"
    await done(client, undo, {**WHY, "dry_run": True})
    undone = cast(list[Json], (await done(client, undo, WHY))["merges"])
    records = [str(record(stages, 11))]
    await done(client, f"/v1/profiles/{one}/split", {**WHY, "records": records, "dry_run": True})
    split = await done(client, f"/v1/profiles/{one}/split", {**WHY, "records": records})
    told = await trail(client)
    assert [a["act"] for a in told] == ["split", "rollback", "merge"]
    apart = str(cast(list[Json], split["moves"])[0]["target"])
    assert [set(cast(list[str], a["profiles"])) for a in told] == [
        {str(one), apart},
        {str(one), str(two)},
        {str(one), str(two)},
    ]
    assert told[2]["merge_log_ids"] == [merge]
    assert set(cast(list[str], told[1]["merge_log_ids"])) == {merge, undone[0]["rollback_log_id"]}
    logged = (await client.get("/v1/merge-logs", params={"kind": "split"})).json()["data"]
    assert told[0]["merge_log_ids"] == [entry["merge_log_id"] for entry in logged]


async def test_of_many_at_once_each_answer_is_told(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    doubts(stages)
    reviews = (await client.get("/v1/reviews")).json()["data"]
    asked = [{"review_id": r["review_id"]} for r in reviews[:2]] + [
        {"review_id": reviews[2]["review_id"], "etag": '"another"'}
    ]
    await done(client, "/v1/reviews:answer", {**WHY, "answer": "rejected", "reviews": asked}, "many")
    told = await trail(client)
    assert {a["review_id"] for a in told} == {r["review_id"] for r in reviews[:2]}
    assert {(a["act"], a["in_bulk"], a["request_id"]) for a in told} == {("reject", True, "many")}


async def test_of_many_rollbacks_each_group_is_told(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    merges = chain(stages)
    since: Json = {**WHY, "since": "2026-01-01T00:00:00Z"}
    plan = (await done(client, "/v1/merge-logs:rollback", {**since, "dry_run": True}))["plan"]
    await done(client, "/v1/merge-logs:rollback", {**since, "plan": plan}, "undo")
    (rollback,) = await trail(client, act="rollback")
    assert (rollback["in_bulk"], rollback["request_id"]) == (True, "undo")
    assert set(map(str, merges)) < set(cast(list[str], rollback["merge_log_ids"]))


async def test_the_trail_is_read_by_who_what_and_when(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    review = str(proposal(stages))
    large = str(home_of(stages, 1))
    await done(client, f"/v1/reviews/{review}/assign", {"assigned_to": "ann", "actor": "ben"})
    await done(client, f"/v1/reviews/{review}/reject", WHY)
    reject, assign = both = await trail(client)
    assert await trail(client, actor="ben") == [assign]
    assert await trail(client, act="reject") == [reject]
    assert await trail(client, profile_id=large) == await trail(client, review_id=review) == both
    assert await trail(client, profile_id=review) == await trail(client, review_id=large) == []
    assert await trail(client, since=str(reject["acted_at"])) == [reject]
    page = await client.get("/v1/steward-actions", params={"limit": 1, "page": 2})
    assert page.json()["data"] == [assign]
    for wrong in (
        {"since": "2026-01-01T00:00:00"},
        {"act": "undo"},
        {"profile_id": 7},
        {"actor": "a\x00"},
    ):
        assert (await client.get("/v1/steward-actions", params=wrong)).status_code == 400, wrong  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    ["UPDATE steward_action SET actor = 'x'", "DELETE FROM steward_action", "TRUNCATE audit_entry"],
)
def test_nobody_changes_the_trail(stages: StagesOnPostgres, change: str) -> None:
    stages.answer(doubt(stages), Answer.REJECTED)
    before = stages.rows("SELECT * FROM steward_action")
    assert len(before) == 1
    with pytest.raises(psycopg.errors.RestrictViolation, match="immutable"):
        stages.rows(change)
    assert stages.rows("SELECT * FROM steward_action") == before


def test_an_act_that_cannot_be_told_is_not_done(stages: StagesOnPostgres) -> None:
    """It is the act's own transaction that writes the entry."""
    review = doubt(stages)
    with stages.database.transaction() as tx:
        tx.connection.execute("ALTER TABLE audit_entry ADD CHECK (actor <> 'steward')")
    with pytest.raises(psycopg.errors.CheckViolation):
        stages.answer(review, Answer.APPROVED)
    assert stages.review() == review
    assert len(stages.profiles()) == 2
