"""A write sent again under its Idempotency-Key is answered as before, and done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from gateway.answers import Answer, Place
from gateway.app import create_app
from gateway.producer import MemorySender
from gateway.server import make_ports
from pipeline.settings import Settings
from tests.servers import TestStack, flushed_redis
from tests.support.people import ring
from tests.support.processes import free_port

EVENT = {"source": "web", "event_type": "visit", "identifiers": {"email": "anna.marked@mailbox.net"}}
OTHER = {**EVENT, "event_type": "purchase"}


class WaitingSender(MemorySender):
    """Sends when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let, self.asked = asyncio.Event(), asyncio.Event()
        self.let.set()

    async def send(self, values: Sequence[bytes]) -> None:
        self.asked.set()
        await self.let.wait()
        await super().send(values)


class Gateway:
    """The application over a sender that keeps what it is given, asked by two callers."""

    def __init__(self, home: Path, redis_url: str) -> None:
        self.sender = WaitingSender()
        values = {"home": home, "api_keys": "k,l", "rate_limit_per_minute": 0, "redis_url": redis_url}
        app = create_app(make_ports(Settings.model_validate(values), self.sender))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")

    async def post(
        self, key: str, event: object = EVENT, caller: str = "k", path: str = "/v1/events"
    ) -> httpx.Response:
        headers = {"Authorization": caller, "Idempotency-Key": key}
        return await self.client.post(path, json=event, headers=headers)


@pytest.fixture
def redis_url(stack: TestStack) -> str:
    return flushed_redis(stack.redis_url, 15)


@pytest.fixture
async def gateway(tmp_path: Path, redis_url: str) -> AsyncIterator[Gateway]:
    made = Gateway(tmp_path, redis_url)
    async with made.client:
        yield made


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_sent_again_it_is_answered_as_before_and_done_once(gateway: Gateway) -> None:
    first, again = await gateway.post("a"), await gateway.post("a")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert len(gateway.sender.sent) == 1


async def test_a_refusal_that_a_route_answers_is_kept_as_well(gateway: Gateway) -> None:
    wrong = {**EVENT, "shoe": 1}
    first, again = await gateway.post("a", wrong), await gateway.post("a", wrong)
    assert code(first) == code(again) == (400, "VALIDATION_ERROR")
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_key_is_of_one_caller_and_one_request(gateway: Gateway) -> None:
    await gateway.post("a")
    assert code(await gateway.post("a", OTHER)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert code(await gateway.post("a", path="/v1/events:batch")) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await gateway.post("a", OTHER, caller="l")).status_code == 202
    assert (await gateway.post("b", OTHER)).status_code == 202
    assert len(gateway.sender.sent) == 3


async def test_a_condition_is_part_of_what_is_asked(gateway: Gateway) -> None:
    named = {"Authorization": "k", "Idempotency-Key": "a"}
    first, again, other = [
        await gateway.client.post("/v1/events", json=EVENT, headers={**named, "If-Match": etag})
        for etag in ('"1"', '"1"', '"2"')
    ]
    assert (first.status_code, again.status_code) == (202, 202)
    assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_while_it_is_under_way_it_is_not_begun_again(gateway: Gateway) -> None:
    gateway.sender.let.clear()
    first = asyncio.create_task(gateway.post("a"))
    async with asyncio.timeout(10):
        await gateway.sender.asked.wait()
    assert code(await gateway.post("a", OTHER)) == (422, "IDEMPOTENCY_KEY_REUSED")
    again = await gateway.post("a")
    assert code(again) == (409, "CONFLICT")
    assert again.headers["Retry-After"]
    gateway.sender.let.set()
    assert (await first).status_code == 202
    assert (await gateway.post("a")).json() == first.result().json()
    assert len(gateway.sender.sent) == 1


async def test_what_failed_is_tried_again_under_the_same_event_ids(gateway: Gateway) -> None:
    gateway.sender.available = False
    batch = {"events": [EVENT, OTHER]}
    failed = await gateway.post("a", batch, path="/v1/events:batch")
    gateway.sender.available = True
    done = await gateway.post("a", batch, path="/v1/events:batch")
    assert (failed.status_code, done.status_code) == (503, 202)
    ids = [[r["event_id"] for r in answer.json()["results"]] for answer in (failed, done)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


async def test_events_of_another_content_or_place_are_others(gateway: Gateway) -> None:
    """Also where what the key was used for before is forgotten."""
    first = await gateway.post("a", {"events": [EVENT, EVENT, OTHER]}, path="/v1/events:batch")
    again = await gateway.post("a", {"events": [OTHER, EVENT]}, caller="l", path="/v1/events:batch")
    ids = [result["event_id"] for answer in (first, again) for result in answer.json()["results"]]
    assert len(set(ids)) == 5


async def test_headers_that_say_what_is_sent_are_part_of_it(gateway: Gateway) -> None:
    async def post(number: int) -> httpx.Response:
        said = {"specversion": "1.0", "id": f"e-{number}", "source": "/web", "type": "visit"}
        headers = {f"ce-{name}": value for name, value in said.items()}
        data = {"identifiers": {"crm_id": "C-1"}}
        given = {"Authorization": "k", "Idempotency-Key": "a", **headers}
        return await gateway.client.post("/v1/events", json=data, headers=given)

    assert (await post(1)).status_code == 202
    assert code(await post(2)) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_only_who_began_may_end(redis_url: str) -> None:
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        mine, other = (Place(redis, ring(), "caller", "key", asked) for asked in ("this", "that"))
        assert await mine.begin() is None
        assert await other.begin() == Answer("this")
        await other.end(None)
        await other.end(Answer("that", 200))
        assert await other.begin() == Answer("this"), "what another put stands"
        await mine.go_on()
        done = Answer("this", 202, b"\x00\xff", (("content-type", "application/json"),))
        await mine.end(done)
        assert await other.begin() == done
        await mine.end(None)
        assert await other.begin() == done, "it ended once"


async def test_an_answer_of_ten_thousand_results_takes_little_room(gateway: Gateway, redis_url: str) -> None:
    headers = {"Authorization": "k", "Idempotency-Key": "a", "Content-Type": "application/x-ndjson"}
    answer = await gateway.client.post("/v1/events:batch", content=b"x\n" * 10_001, headers=headers)
    assert answer.status_code == 202
    assert len(answer.content) > 3_000_000
    async with Redis.from_url(redis_url) as redis:
        (name,) = [key async for key in redis.scan_iter("rb:once:*")]
        assert await redis.strlen(name) < 200_000
    again = await gateway.client.post("/v1/events:batch", content=b"x\n" * 10_001, headers=headers)
    assert again.content == answer.content


async def test_without_redis_events_keep_their_ids(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, f"redis://127.0.0.1:{free_port()}/0")
    async with gateway.client:
        first, again, other = [await gateway.post(key) for key in ("a", "a", "b")]
    assert first.json()["event_id"] == again.json()["event_id"] != other.json()["event_id"]


@pytest.mark.parametrize("key", ["", "k" * 256, "\x7f"])
async def test_a_key_that_is_none_is_named(gateway: Gateway, key: str) -> None:
    answer = await gateway.post(key)
    assert code(answer) == (400, "VALIDATION_ERROR")
    assert "Idempotency-Key" in answer.json()["error"]["message"]
    assert not gateway.sender.sent


async def test_nothing_of_it_lies_open_in_redis(gateway: Gateway, redis_url: str) -> None:
    answer = await gateway.post("key-of-anna.marked", {**EVENT, "event_id": "order-anna.marked"})
    async with Redis.from_url(redis_url) as redis:
        found = [(key, await redis.get(key)) async for key in redis.scan_iter("rb:once:*")]
    assert len(found) == 1
    for told in ("anna.marked", answer.json()["event_id"], answer.json()["request_id"]):
        assert told not in str(found)
