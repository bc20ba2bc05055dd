"""ETag and If-Match over HTTP: what a steward did not see is not acted on."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.integration.test_answers import RULES, doubt
from tests.support.pipeline import StagesOnPostgres

WHY = {"reason": "I know them"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


async def test_a_review_is_answered_as_it_was_read_or_not_at_all(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    path = f"/v1/reviews/{doubt(stages)}"
    read = await client.get(path)
    etag = read.headers["ETag"]
    assert read.json()["etag"] == etag
    assert (await client.get("/v1/reviews")).json()["data"][0]["etag"] == etag
    for wrong in ('"0123456789abcdef"', f"W/{etag}"):
        refused = await client.post(f"{path}/approve", json=WHY, headers={"If-Match": wrong})
        assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
        assert "read it again" in refused.json()["error"]["message"]
    assert (await client.get(path)).headers["ETag"] == etag
    malformed = await client.post(f"{path}/approve", json=WHY, headers={"If-Match": etag.strip('"')})
    assert malformed.status_code == 400
    assert malformed.json()["error"]["message"].startswith("If-Match: ")
    several = [("If-Match", '"another"'), ("If-Match", etag)]
    done = await client.post(f"{path}/approve", json=WHY, headers=several)
    assert done.status_code == 200, done.text
    after = (await client.get(path)).headers["ETag"]
    assert after != etag
    late = await client.post(f"{path}/approve", json=WHY, headers={"If-Match": etag})
    assert late.status_code == 412
    for now in (after, "*"):
        again = await client.post(f"{path}/approve", json=WHY, headers={"If-Match": now})
        assert (again.status_code, again.json()["merge_log_ids"]) == (200, [])
