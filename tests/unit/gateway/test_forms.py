"""The forms in which events come over HTTP: compressed, line by line, as CloudEvents."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.producer import MemorySender
from gateway.server import make_ports
from pipeline.events import event_uuid
from pipeline.settings import Settings
from tests.unit.gateway.test_cloud_events import EVENT as CLOUD_EVENT

EVENT = {"source": "web", "event_type": "visit", "identifiers": {"crm_id": "C-1001"}}
LINES = {"Content-Type": "application/x-ndjson"}
MOST = 262_144


class Gateway:
    """The application over a sender that keeps what it is given."""

    def __init__(self, home: Path) -> None:
        values = {"home": home, "api_keys": "k", "rate_limit_per_minute": 0, "max_body_bytes": MOST}
        settings = Settings.model_validate({**values, "max_payload_bytes": 1_000})
        self.sender = MemorySender()
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(make_ports(settings, self.sender))),
            base_url="http://gateway",
            headers={"Authorization": "k"},
        )


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    made = Gateway(tmp_path)
    async with made.client:
        yield made


async def test_a_compressed_event_is_taken(gateway: Gateway) -> None:
    for encoding in ("gzip", "x-gzip"):
        answer = await gateway.client.post(
            "/v1/events",
            content=gzip.compress(json.dumps(EVENT).encode()),
            headers={"Content-Encoding": encoding},
        )
        assert answer.status_code == 202
    assert len(gateway.sender.sent) == 2


@pytest.mark.parametrize(
    ("content", "encoding", "status", "code"),
    [
        (gzip.compress(b" " * (MOST + 1)), "gzip", 413, "PAYLOAD_TOO_LARGE"),
        (b"{}", "gzip", 400, "VALIDATION_ERROR"),
        (b"{}", "br", 415, "VALIDATION_ERROR"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/events:batch", "/v1/dead-letters:drop"])
async def test_what_does_not_inflate_within_the_limit_is_refused(
    gateway: Gateway, path: str, content: bytes, encoding: str, status: int, code: str
) -> None:
    answer = await gateway.client.post(path, content=content, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not gateway.sender.sent


async def test_each_line_is_taken_or_refused_by_itself(gateway: Gateway) -> None:
    lines = [
        json.dumps(EVENT),
        "{",
        "",
        json.dumps({**EVENT, "shoe": 1}),
        "[]",
        json.dumps({**EVENT, "event_id": "e-1"}),
    ]
    body = gzip.compress("\r\n".join(lines).encode())
    answer = await gateway.client.post(
        "/v1/events:batch", content=body, headers={**LINES, "Content-Encoding": "gzip"}
    )
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["refused"]) == (202, 2, 3)
    assert [r["status"] for r in told["results"]] == [202, 400, 400, 400, 202]
    assert [r["index"] for r in told["results"]] == [0, 1, 2, 3, 4]
    assert "broken JSON at character 1" in told["results"][1]["error"]["message"]
    assert told["results"][4]["event_id"] == str(event_uuid("web", "e-1"))
    assert len(gateway.sender.sent) == 2


async def test_lines_come_in_batches_and_no_more_than_ten_thousand(gateway: Gateway) -> None:
    line = b'{"source":"w","event_type":"v"}\n'
    sent_at: list[int] = []

    async def coming() -> AsyncIterator[bytes]:
        for _ in range(6):
            sent_at.append(len(gateway.sender.sent))
            yield line * 1_200

    answer = await gateway.client.post("/v1/events:batch", content=coming(), headers=LINES)
    assert answer.json()["accepted"] == 7_200
    assert sent_at[:3] == [0, 1_000, 2_000], "they are sent while the rest comes"
    body = gzip.compress(b'{"source":"w","event_type":"v"}\n' * 8_000) * 2
    answer = await gateway.client.post(
        "/v1/events:batch", content=body, headers={**LINES, "Content-Encoding": "gzip"}
    )
    assert answer.status_code == 413, "limits count what a body inflates to"
    few = b"1\n" * 10_002
    told = (await gateway.client.post("/v1/events:batch", content=few, headers=LINES)).json()
    assert len(told["results"]) == 10_001
    assert "more than 10000 lines" in told["results"][-1]["error"]["message"]


async def test_a_body_without_a_line_is_refused(gateway: Gateway) -> None:
    answer = await gateway.client.post("/v1/events:batch", content=b"\n \n", headers=LINES)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_where_the_broker_goes_away_amid_lines_each_says_what_became_of_it(gateway: Gateway) -> None:
    line = b'{"source":"w","event_type":"v"}\n'

    async def coming() -> AsyncIterator[bytes]:
        yield line * 1_500
        gateway.sender.available = False
        yield line * 10

    answer = await gateway.client.post("/v1/events:batch", content=coming(), headers=LINES)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert [r["status"] for r in answer.json()["results"]] == [202] * 1_000 + [503] * 510


async def test_cloud_events_come_in_three_modes(gateway: Gateway) -> None:
    same = str(event_uuid("cloud event", "/shops/7/pos\x1fA234"))
    structured = await gateway.client.post(
        "/v1/events",
        json=CLOUD_EVENT,
        headers={"Content-Type": "application/cloudevents+json; charset=utf-8"},
    )
    attributes = {f"ce-{k}": str(CLOUD_EVENT[k]) for k in ("specversion", "id", "source", "type", "time")}
    binary = await gateway.client.post("/v1/events", json=CLOUD_EVENT["data"], headers=attributes)
    batched = await gateway.client.post(
        "/v1/events:batch",
        json=[CLOUD_EVENT, {**CLOUD_EVENT, "type": ""}],
        headers={"Content-Type": "application/cloudevents-batch+json"},
    )
    assert (structured.status_code, structured.json()["event_id"]) == (202, same)
    assert (binary.status_code, binary.json()["event_id"]) == (202, same)
    assert [r["status"] for r in batched.json()["results"]] == [202, 400]
    assert batched.json()["results"][0]["event_id"] == same
    assert batched.json()["results"][1]["error"]["details"][0]["field"] == "type"
