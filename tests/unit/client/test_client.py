"""The client is patient where waiting helps and clear where it does not."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, TypeVar

import pytest

from client import AsyncRetailBrain, RetailBrain, ask
from client.call import Call
from pipeline.errors import GatewayUnavailable, RequestRefused

T = TypeVar("T")
Answer = tuple[int, dict[str, str], object]
TAKEN = {
    "request_id": "r",
    "accepted": 1,
    "refused": 0,
    "results": [{"index": 0, "status": 202, "event_id": "0b0e7ad6-4b1c-4c34-9c0b-0f3b3a1f2f11"}],
}


class Gateway:
    """Gives the answers it was told, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[dict[str, str]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                gateway.requests.append(dict(self.headers))
                status, headers, body = (
                    gateway.answers.pop(0) if len(gateway.answers) > 1 else gateway.answers[0]
                )
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def refusal(status: int, code: str, **headers: str) -> Answer:
    return status, headers, {"error": {"message": "no", "code": code, "request_id": "r"}}


async def by_threads(gateway: Gateway, call: Call[T], patience_s: float) -> T:
    def run() -> T:
        with RetailBrain(gateway.url, "key", patience_s=patience_s) as brain:
            return brain.ask(call)

    return await asyncio.to_thread(run)


async def by_asyncio(gateway: Gateway, call: Call[T], patience_s: float) -> T:
    async with AsyncRetailBrain(gateway.url, "key", patience_s=patience_s) as brain:
        return await brain.ask(call)


class Ask(Protocol):
    async def __call__(self, gateway: Gateway, call: Call[T], patience_s: float) -> T: ...


both = pytest.mark.parametrize("asked", [by_threads, by_asyncio])


@both
async def test_it_waits_out_503_and_429(gateway: Gateway, asked: Ask) -> None:
    busy = refusal(429, "RATE_LIMIT_EXCEEDED")
    gateway.answers = [refusal(503, "UNAVAILABLE"), busy, (202, {}, TAKEN)]
    assert (await asked(gateway, ask.send_events([{}]), 10)).accepted == 1
    assert len(gateway.requests) == 3


@both
async def test_it_waits_as_long_as_it_is_told(gateway: Gateway, asked: Ask) -> None:
    later = refusal(429, "RATE_LIMIT_EXCEEDED", **{"Retry-After": "1"})
    gateway.answers = [later, (202, {}, TAKEN)]
    began = time.monotonic()
    await asked(gateway, ask.send_events([{}]), 0.2)  # being told when costs no patience
    assert time.monotonic() - began >= 1


@both
async def test_it_waits_for_what_it_sent_before_and_is_under_way(gateway: Gateway, asked: Ask) -> None:
    gateway.answers = [refusal(409, "CONFLICT", **{"Retry-After": "1"}), (202, {}, TAKEN)]
    await asked(gateway, ask.send_events([{}]), 10)
    keys = {request["Idempotency-Key"] for request in gateway.requests}
    assert len(gateway.requests) == 2
    assert len(keys) == 1
    gateway.answers = [refusal(409, "CONFLICT")]
    with pytest.raises(RequestRefused):
        await asked(gateway, ask.send_events([{}]), 10)


@both
async def test_what_names_itself_needs_no_key(gateway: Gateway, asked: Ask) -> None:
    gateway.answers = [(202, {}, TAKEN)]
    await asked(gateway, ask.send_events([{"event_id": "e-1"}]), 10)
    assert "Idempotency-Key" not in gateway.requests[0]


@both
async def test_it_gives_up_when_its_patience_ends(gateway: Gateway, asked: Ask) -> None:
    gateway.answers = [refusal(503, "UNAVAILABLE")]
    with pytest.raises(GatewayUnavailable, match="HTTP 503"):
        await asked(gateway, ask.send_events([{}]), 0.2)


@both
async def test_nobody_there(gateway: Gateway, asked: Ask) -> None:
    gateway.url = "http://127.0.0.1:1"
    with pytest.raises(GatewayUnavailable, match=r"ConnectError at http://127\.0\.0\.1:1/v1/reviews$"):
        await asked(gateway, ask.reviews(kind="merge"), 0.2)


@both
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refusal(401, "UNAUTHORIZED"), "UNAUTHORIZED"),
        (refusal(400, "VALIDATION_ERROR"), "VALIDATION_ERROR"),
        ((404, {}, "not ours"), None),
    ],
)
async def test_it_does_not_wait_for_what_will_not_change(
    gateway: Gateway, asked: Ask, answer: Answer, code: str | None
) -> None:
    gateway.answers = [answer]
    with pytest.raises(RequestRefused) as refused:
        await asked(gateway, ask.send_events([{}]), 60)
    assert (refused.value.status, refused.value.code) == (answer[0], code)
    assert len(gateway.requests) == 1


async def test_what_comes_of_many_calls_comes_in_order(gateway: Gateway) -> None:
    gateway.answers = [(202, {}, {**TAKEN, "accepted": n}) for n in range(10)]
    calls = [ask.send_events([{}], lenient=True, once=f"k{n}") for n in range(10)]
    with RetailBrain(gateway.url, "key") as brain:
        assert [told.accepted for told in brain.ask_all(calls, in_flight=1)] == list(range(10))
        told = list(brain.ask_all(calls, in_flight=3))
    async with AsyncRetailBrain(gateway.url, "key") as aio:
        told += [one async for one in aio.ask_all(calls, in_flight=3)]
    assert len(told) == 20
    assert gateway.requests[0]["Prefer"] == "handling=lenient"
    keys = [request["Idempotency-Key"] for request in gateway.requests]
    assert keys[:10] == [f"k{n}" for n in range(10)]
    assert sorted(keys) == sorted([f"k{n}" for n in range(10)] * 3)
