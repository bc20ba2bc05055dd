"""Heads of requests, raw on a socket: too large, too slow, malformed; connections that say nothing; proxies."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx
import orjson
import pytest

from pipeline.settings import Settings
from tests.support.processes import free_port, gateway

MOST, PATIENCE_S = 8_192, 1.0
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway whose servers are away: no request here needs them."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings.model_validate(
        {
            "home": home,
            "api_keys": "k",
            "kafka_bootstrap": f"127.0.0.1:{free_port()}",
            "postgres_dsn": f"postgresql://postgres@127.0.0.1:{free_port()}/none",
            "redis_url": f"redis://127.0.0.1:{free_port()}/0",
            "refused_limit_per_minute": 2,
            "trusted_proxies": "127.0.0.1",
            "max_header_bytes": MOST,
            "header_timeout_ms": int(PATIENCE_S * 1000),
            "keep_alive_s": 1,
        }
    )
    with gateway(settings, home / "gateway.log") as running:
        yield running


def connected(client: httpx.Client) -> socket.socket:
    return socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=20)


def answered(connection: socket.socket, *parts: bytes) -> bytes:
    """All that comes until the gateway ends the connection."""
    found = b""
    try:
        for part in parts:
            connection.sendall(part)
        while part := connection.recv(65_536):
            found += part
    except (BrokenPipeError, ConnectionResetError):  # it ended while we were still sending
        pass
    return found


def asked(connection: socket.socket, request: bytes = WHOLE) -> bytes:
    """The whole answer to one request: its body is an object of JSON."""
    connection.sendall(request)
    found = b""
    while not found.endswith(b"}"):
        part = connection.recv(65_536)
        assert part
        found += part
    return found


def assert_refused(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"connection: close" in head.lower()
    assert b"x-content-type-options: nosniff" in head
    error = orjson.loads(body)["error"]
    assert error["code"] == code
    assert error["request_id"].encode() in head


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * MOST + b"\r\n\r\n", id="a long field"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(2_000)) + b"\r\n",
            id="many fields",
        ),
        pytest.param(b"GET /healthz?" + b"x" * MOST + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="a long URL"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 4 * MOST, id="a field without an end"),
        pytest.param(b"GET /" + b"x" * 4 * MOST, id="a URL without an end"),
    ],
)
def test_a_head_over_the_limit_is_refused(client: httpx.Client, head: bytes) -> None:
    with connected(client) as connection:
        assert_refused(answered(connection, head), 431, "HEADERS_TOO_LARGE")
    with connected(client) as connection:  # in pieces, as a slow or hostile client sends it
        pieces = [head[at : at + 1_000] for at in range(0, len(head), 1_000)]
        answer = answered(connection, *pieces)
        assert not answer or b" 431 " in answer, "refused, or ended before all was sent"


def test_a_head_within_the_limit_passes_whatever_its_body(client: httpx.Client) -> None:
    fields = b"Authorization: k\r\nContent-Length: 60000\r\nX-Long: " + b"x" * (MOST - 500)
    with connected(client) as connection:
        for _ in range(3):  # one connection: the count begins anew
            body = b"{" * 60_000
            assert b" 400 " in asked(
                connection, b"POST /v1/events HTTP/1.1\r\n" + fields + b"\r\n\r\n" + body
            )


def test_requests_sent_together_count_each_for_itself(client: httpx.Client) -> None:
    one = WHOLE.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"x" * (MOST // 2) + b"\r\n\r\n")
    with connected(client) as connection:
        connection.sendall(one * 4 + one[:100])
        found = b""
        while found.count(b'{"status":"ok"}') < 4:
            part = connection.recv(65_536)
            assert part, "the four and the begun one are no large head"
            found += part
        assert b" 200 " in asked(connection, one[100:])


def test_a_head_that_does_not_come_ends_the_connection(client: httpx.Client) -> None:
    started = time.monotonic()
    with connected(client) as silent, connected(client) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        assert_refused(answered(slow), 408, "REQUEST_TIMEOUT")
        assert answered(silent) == b""
    assert PATIENCE_S * 0.9 < time.monotonic() - started < 10 * PATIENCE_S
    with connected(client) as dripping:  # a byte now and then does not keep it open
        started = time.monotonic()
        dripping.settimeout(0.2)
        dripping.sendall(b"GET /healthz HTTP/1.1\r\n")
        ended = False
        while not ended:
            assert time.monotonic() - started < 10 * PATIENCE_S
            try:
                dripping.sendall(b"X")
                ended = b" 408 " in dripping.recv(65_536)
            except TimeoutError:
                continue


def test_an_idle_connection_ends(client: httpx.Client) -> None:
    with connected(client) as connection:
        assert b" 200 " in asked(connection)
        assert answered(connection) == b""
    with connected(client) as connection:  # nor does a line break keep it
        assert b" 200 " in asked(connection)
        assert answered(connection, b"\r\n") == b""


def test_each_head_has_its_own_time(client: httpx.Client) -> None:
    with connected(client) as connection:
        for _ in range(3):  # longer together than one may take
            assert b" 200 " in asked(connection)
            connection.sendall(WHOLE[:20])
            time.sleep(0.45 * PATIENCE_S)
            connection.sendall(WHOLE[20:])
            assert b" 200 " in asked(connection, b"")


def test_a_wait_longer_than_the_head_may_take_is_waited(client: httpx.Client) -> None:
    """/readyz asks servers that are away, for about two seconds."""
    with connected(client) as connection:
        assert b" 503 " in asked(connection, WHOLE.replace(b"healthz", b"readyz"))


def test_what_is_no_http_is_refused_in_the_envelope(client: httpx.Client) -> None:
    for sent in (
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x02",
    ):
        with connected(client) as connection:
            assert_refused(answered(connection, sent), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "refused", [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nX-Long: " + b"x" * MOST + b"\r\n\r\n"]
)
def test_what_is_refused_while_an_answer_is_awaited_is_not_taken_for_it(
    client: httpx.Client, refused: bytes
) -> None:
    waits = WHOLE.replace(b"healthz", b"readyz")
    with connected(client) as connection:
        assert answered(connection, waits + refused) == b""


def test_a_broken_body_is_refused_in_the_envelope(client: httpx.Client) -> None:
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: k\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(client) as connection:
        assert_refused(answered(connection, head + b"no length\r\n"), 400, "VALIDATION_ERROR")


def test_the_address_behind_a_trusted_proxy_counts(client: httpx.Client) -> None:
    def status(address: str) -> int:
        headers = {"Authorization": "wrong", "X-Forwarded-For": address}
        return client.get("/v1/nowhere", headers=headers).status_code

    assert [status("192.0.2.1") for _ in range(3)] == [401, 401, 429]
    assert status("192.0.2.2") == 401
