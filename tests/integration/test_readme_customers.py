"""The examples of the README's section on customers do what they say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson

from tests.support.pipeline import StagesOnPostgres

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.partition("## Ask about a customer")[2].partition("\n## ")[0]
SENT = re.findall(r"/v1/events\" [^\n]* -d '(\{.*?\n\})'$", README, re.MULTILINE | re.DOTALL)
SOUGHT = re.findall(
    r"^curl -X POST \"\$GATEWAY(\S+)\" [^\n]* -d '(\{.*?\n\})'$", SECTION, re.MULTILINE | re.DOTALL
)
ASKED = re.findall(r"^curl \"\$GATEWAY(\S+)\"", SECTION, re.MULTILINE)


async def test_each_example_is_answered(client: httpx.AsyncClient, database: str) -> None:
    stages = StagesOnPostgres(database)
    event = orjson.loads(SENT[0])
    del event["event_id"]  # the gateway makes a UUID of any text
    stages.send(event)
    ((profile,),) = stages.rows("SELECT profile_id FROM customer_profile")
    stages.close()
    assert len(SOUGHT) >= 2
    for path, body in SOUGHT:
        found = (await client.post(path, content=body, headers={"Content-Type": "application/json"})).json()
        assert [hit["profile"]["profile_id"] for hit in found["data"]] == [str(profile)], body
    assert len(ASKED) >= 8
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    for path in ASKED:
        answer = await client.get(path.replace("$ID", str(profile)).replace("$AT", at))
        assert answer.status_code == 200, (path, answer.text)
    summary = (await client.get(f"/v1/profiles/{profile}/summary")).json()
    assert [c["name"] for c in summary["categories"]] == ["tea"]
