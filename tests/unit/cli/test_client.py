"""The client is patient where waiting helps and clear where it does not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli.client import GatewayClient, batch_body
from pipeline.errors import BadInput, ConfigurationError, GatewayUnavailable

Answer = tuple[int, dict[str, str], object]
TAKEN = {"results": [{"index": 0, "status": 202, "event_id": "e-0"}]}


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


def test_it_waits_out_503_and_429(gateway: Gateway) -> None:
    busy = refusal(429, "RATE_LIMIT_EXCEEDED")
    gateway.answers = [refusal(503, "UNAVAILABLE"), busy, (202, {}, TAKEN)]
    with GatewayClient(gateway.url, "key", patience_s=10) as client:
        assert client.send(batch_body([{}])).accepted == ("e-0",)
    assert len(gateway.requests) == 3


def test_it_gives_up_when_its_patience_ends(gateway: Gateway) -> None:
    gateway.answers = [refusal(503, "UNAVAILABLE")]
    with GatewayClient(gateway.url, "key", patience_s=0.2) as client, pytest.raises(GatewayUnavailable):
        client.send(batch_body([{}]))


def test_nobody_there() -> None:
    with (
        GatewayClient("http://127.0.0.1:1", "key", patience_s=0.2) as client,
        pytest.raises(GatewayUnavailable),
    ):
        client.send(batch_body([{}]))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(401, "UNAUTHORIZED"), ConfigurationError),
        (refusal(400, "VALIDATION_ERROR"), BadInput),
        ((404, {}, "not ours"), ConfigurationError),
    ],
)
def test_it_does_not_wait_for_what_will_not_change(
    gateway: Gateway, answer: Answer, error: type[Exception]
) -> None:
    gateway.answers = [answer]
    with GatewayClient(gateway.url, "key") as client, pytest.raises(error):
        client.send(batch_body([{}]))
    assert len(gateway.requests) == 1


def test_receipts_come_in_order_and_name_refusals(gateway: Gateway) -> None:
    results = [
        {"index": 0, "status": 202, "event_id": "e"},
        {"index": 1, "status": 400, "error": {"code": "X", "message": "m"}},
    ]
    gateway.answers = [(202, {}, {"results": results})]
    with GatewayClient(gateway.url, "key", lenient=True) as client:
        receipts = list(client.send_all([b"{}"] * 10, in_flight=3))
    assert [(r.accepted, r.refused[0].index, r.refused[0].code) for r in receipts] == [(("e",), 1, "X")] * 10
    assert gateway.requests[0]["Prefer"] == "handling=lenient"
