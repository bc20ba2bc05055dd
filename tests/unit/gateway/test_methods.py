"""A wrong method is answered 405 with all that the path takes, and an act is never taken for an id."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tests.unit.gateway.test_bodies import client_of

ONE = UUID(int=1)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/webhooks", "GET, POST"),
        (f"/v1/webhooks/{ONE}", "GET, PATCH, DELETE"),
        (f"/v1/webhooks/{ONE}:rotate", "POST"),
        (f"/v1/webhooks/{ONE}/deliveries/{ONE}", "GET"),
        (f"/v1/webhooks/{ONE}/deliveries/{ONE}:replay", "POST"),
        (f"/v1/dead-letters/{ONE}", "GET, PATCH"),
        ("/subjects/events.raw-value/versions", "GET, POST"),
        ("/healthz", "GET"),
    ],
)
async def test_it_names_all_that_the_path_takes(tmp_path: Path, path: str, allowed: str) -> None:
    async with client_of(tmp_path) as client:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - {*allowed.split(", ")}:
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, allowed), method
            assert answer.json()["error"]["message"] == f"this path takes {allowed}"
