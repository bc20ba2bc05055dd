"""Problem details for those who ask for them, and the envelope for all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.problem import prefers_problem
from tests.unit.gateway.test_bodies import client_of


@pytest.mark.parametrize(
    ("accept", "prefers"),
    [
        ("application/problem+json", True),
        ("application/problem+json, application/json", True),
        ("application/json, Application/Problem+JSON;q=1.0", True),
        ("application/problem+json;q=0.5, application/json", False),
        ("application/problem+json;q=0", False),
        ("application/problem+json;q=much", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_who_prefers_them(accept: str, prefers: bool) -> None:
    assert prefers_problem(accept) is prefers


async def test_a_refusal_is_told_as_it_was_asked_for(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        body = {"source": "web", "event_type": "visit", "shoe": 1}
        envelope = await client.post("/v1/events", json=body)
        problem = await client.post("/v1/events", json=body, headers={"Accept": "application/problem+json"})
        unknown = await client.get("/v2", headers={"Accept": "application/problem+json"})
        strange = await client.get(
            "/v1/profiles", headers={"Accept": "application/problem+json", "Authorization": "x"}
        )
    error = envelope.json()["error"]
    assert envelope.headers["Content-Type"] == "application/json"
    assert problem.headers["Content-Type"] == "application/problem+json"
    told = problem.json()
    assert told.pop("request_id") == problem.headers["X-Request-ID"]
    assert told == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": error["message"],
        "instance": "/v1/events",
        "code": "VALIDATION_ERROR",
        "errors": error["details"],
    }
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")
    assert (strange.status_code, strange.json()["code"]) == (401, "UNAUTHORIZED")


async def test_answers_and_refusals_in_other_forms_stay_as_they_are(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        accept = {"Accept": "application/problem+json"}
        taken = await client.post("/v1/events", json={"source": "web", "event_type": "visit"}, headers=accept)
        schema = await client.get("/schemas/ids/1", headers=accept)
    assert taken.status_code == 202
    assert schema.status_code == 404
    assert schema.json()["error_code"] == 40403
