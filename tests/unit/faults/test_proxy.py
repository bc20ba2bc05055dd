"""The proxy in between, on loopback sockets: what it passes on, and what it does to what passes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from faults.proxy import Proxies, Proxy
from infra.embedded.ports import choose

PATIENCE_S = 20.0


@contextmanager
def echo() -> Iterator[int]:
    """A server that answers all it hears with the same; its port."""

    def answer(peer: socket.socket) -> None:
        with peer, suppress(ConnectionResetError):
            while data := peer.recv(65_536):
                peer.sendall(data)

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(peer,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """In front of a server that echoes."""
    with echo() as port, Proxies(choose({"echo": 0})) as proxies:
        proxies["echo"].target = port
        yield proxies["echo"]


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S)


def heard(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        found += client.recv(65_536)
    return found


def test_all_bytes_pass_in_order_both_ways(proxy: Proxy) -> None:
    sent = b"".join(n.to_bytes(4) for n in range(500_000))
    with connected(proxy) as client:
        threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
        assert heard(client, len(sent)) == sent


def test_a_cut_resets_every_connection_and_new_ones_pass(proxy: Proxy) -> None:
    with connected(proxy) as one, connected(proxy) as other:
        for client in (one, other):
            client.sendall(b"hello")
            assert heard(client, 5) == b"hello"
        assert proxy.cut() == 2
        for client in (one, other):
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    with connected(proxy) as again:
        again.sendall(b"hello")
        assert heard(again, 5) == b"hello"


def test_what_is_delayed_comes_late_and_whole(proxy: Proxy) -> None:
    with connected(proxy) as client, proxy.delayed(0.15):
        started = time.monotonic()
        client.sendall(b"hello")
        assert heard(client, 5) == b"hello"
        assert time.monotonic() - started >= 0.3, "there and back"


def test_a_stalled_connection_stays_and_goes_on(proxy: Proxy) -> None:
    with connected(proxy) as client:
        with proxy.stalled(), connected(proxy) as late:
            for one in (client, late):
                one.sendall(b"hello")
                one.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    one.recv(1)
        client.settimeout(PATIENCE_S)
        assert heard(client, 5) == b"hello"


def test_the_end_of_either_side_is_the_end_of_both(proxy: Proxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"last")
        assert heard(client, 4) == b"last"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_nobody_behind_it_ends_a_connection_at_once() -> None:
    with Proxies(choose({"nobody": 0})) as proxies:
        proxies["nobody"].target = choose({"free": 0})["free"]
        with connected(proxies["nobody"]) as client:
            assert client.recv(1) == b""
