"""The gateway against its own OpenAPI document, by schemathesis: whatever is sent, the answer is one it declares."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pipeline.settings import Settings
from tests.support.processes import gateway, process, resolved

ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}
MAIL, PHONE = {"email": "anna@postbox.io"}, {"phone": "+14155550101"}
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
"""Requests an operation; `make fuzz` sends more."""
STREAM = "/v1/changes"
"""Answers for ever, unless it is told for how long."""
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


def tried(operation: APIOperation, client: httpx.Client, ids: Sequence[str]) -> int:
    """Send requests that keep to the operation's schema and requests that break it, every other one about something
    that is there; returns how many."""
    sent = 0
    cases = operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases, known=st.none() | st.sampled_from(ids))
    def check(case: schemathesis.Case, known: str | None) -> None:
        nonlocal sent
        if known and case.path_parameters:
            case.path_parameters = dict.fromkeys(case.path_parameters, known)
        if operation.path == STREAM and "seconds" not in (case.query or {}):
            case.query = {**(case.query or {}), "seconds": 0.05}
        response = case.call(headers=dict(client.headers))
        sent += 1
        case.validate_response(response, checks=CHECKS)

    check()
    return sent


def something_there(client: httpx.Client) -> list[str]:
    """Ids of customers, of a merge, of a review, of what a steward said, and of a schema."""
    ids = {
        resolved(client, {"source": "web", "event_type": "visit", "identifiers": i}) for i in (MAIL, PHONE)
    }
    resolved(client, {"source": "web", "event_type": "visit", "identifiers": {**MAIL, **PHONE}})
    for card in ("L-1001", "L-2002"):
        who = {"loyalty_id": card, "email": "anna.k@postbox.io"}
        resolved(client, {"source": "crm", "event_type": "visit", "identifiers": who, "traits": ANNA})
    merges, reviews = (client.get(f"/v1/{what}").json()["data"] for what in ("merge-logs", "reviews"))
    assert merges
    assert reviews
    strangers = [
        resolved(client, {"source": "web", "event_type": "visit", "identifiers": {"cookie_id": f"c-{n}"}})
        for n in "ab"
    ]
    joined = client.post("/v1/profiles:merge", json={"profiles": strangers, "reason": "one person"})
    assert joined.status_code == 200, joined.text
    return [
        *filter(None, ids),
        merges[0]["merge_log_id"],
        reviews[0]["review_id"],
        client.get("/v1/constraints").json()["data"][0]["constraint_id"],
        client.get("/subjects").json()[0],
    ]


def test_every_answer_is_declared(
    house: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unlimited = house.model_copy(update={"rate_limit_per_minute": 0, "home": tmp_path})
    with ExitStack() as running:
        client = running.enter_context(gateway(unlimited, tmp_path / "gateway.log"))
        for stage in ("pipeline.normalize_stage", "pipeline.resolve_stage"):
            running.enter_context(process(stage, unlimited, tmp_path / f"{stage}.log"))
        ids = something_there(client)
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        schema.config.update(base_url=str(client.base_url))
        sent = [tried(found.ok(), client, ids) for found in schema.get_all_operations()]
    assert len(sent) > 30
    with capsys.disabled():
        sys.stdout.write(f"\n{sum(sent):,} requests to {len(sent)} operations\n")
