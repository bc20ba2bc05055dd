"""One answer to many reviews: each is answered or refused for itself, and nothing of one is lost by another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from pipeline.answer import Answer
from pipeline.answer_many import ToAnswer, answer_many
from pipeline.errors import StoreUnavailable
from pipeline.ids import new_id
from pipeline.store.database import Database, Transaction
from tests.integration.test_answers import RULES, constraints
from tests.support.pipeline import StagesOnPostgres, event

PEOPLE = ["Kowalski", "Nilsson", "Fernandes", "Okonkwo"]
WHY = {"reason": "mothers and daughters", "actor": "ann"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


def doubts(stages: StagesOnPostgres) -> None:
    """A review of each of four pairs that know nothing of each other."""
    for number, name in enumerate(PEOPLE):
        traits = {"first_name": "Anna", "last_name": name, "date_of_birth": f"198{number}-01-02"}
        for card in (1, 2):
            who = {"loyalty_id": f"L-{number}{card}00", "email": f"anna.{name}@mailbox.net"}
            stages.send(event(10 * number + card, who, traits=traits))


async def test_each_review_is_answered_or_refused_for_itself(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    doubts(stages)
    first, second, third, fourth = (await client.get("/v1/reviews")).json()["data"]
    approved = await client.post(f"/v1/reviews/{second['review_id']}/approve", json=WHY)
    assert approved.status_code == 200
    asked = [
        {"review_id": first["review_id"], "etag": first["etag"]},
        {"review_id": second["review_id"]},
        {"review_id": third["review_id"], "etag": '"0123456789abcdef"'},
        {"review_id": str(uuid4())},
        {"review_id": fourth["review_id"]},
        {"review_id": fourth["review_id"]},
    ]
    answer = await client.post("/v1/reviews:answer", json={**WHY, "answer": "rejected", "reviews": asked})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["answered"], body["refused"]) == (3, 3)
    results = body["results"]
    assert [r["status"] for r in results] == [200, 409, 412, 404, 200, 200]
    assert [r["review_id"] for r in results] == [one["review_id"] for one in asked]
    codes = [r["error"] and r["error"]["code"] for r in results]
    assert codes == [None, "CONFLICT", "PRECONDITION_FAILED", "NOT_FOUND", None, None]
    assert "was approved before, by ann" in results[1]["error"]["message"]
    assert results[0]["answered"]["status"] == "rejected"
    assert [kind for kind, _, _ in constraints(stages)] == ["must_link", "cannot_link", "cannot_link"]
    left = (await client.get("/v1/reviews")).json()["data"]
    assert [r["review_id"] for r in left] == [third["review_id"]]


async def test_what_is_wrong_with_all_is_refused_at_once(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    doubts(stages)
    one = {"review_id": (await client.get("/v1/reviews")).json()["data"][0]["review_id"]}
    whole = {**WHY, "answer": "approved", "reviews": [one]}
    for wrong in (
        {"reviews": []},
        {"reviews": [one] * 101},
        {"reviews": [{**one, "etag": "bare"}]},
        {"answer": "maybe"},
        {"reason": "  "},
    ):
        answer = await client.post("/v1/reviews:answer", json={**whole, **wrong})
        assert answer.status_code == 400, wrong
    assert constraints(stages) == []


def test_once_the_store_is_away_the_rest_is_not_tried(stages: StagesOnPostgres) -> None:
    tried = 0

    class Away(Database):
        @contextmanager
        def transaction(self) -> Iterator[Transaction]:
            nonlocal tried
            tried += 1
            raise StoreUnavailable("gone")
            yield

    by = replace(stages.stewardship(), database=Away("", "away"))
    asked = [ToAnswer(new_id()) for _ in range(3)]
    found = answer_many(by, asked, Answer.APPROVED, "ann", "known", datetime.now(UTC))
    assert [type(one) for one in found] == [StoreUnavailable] * 3
    assert tried == 1
