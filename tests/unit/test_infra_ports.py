"""Ports: the well-known ones where nobody listens."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from infra.embedded.ports import HIGH, LOW, choose


@pytest.fixture
def taken() -> Iterator[int]:
    """A port somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_the_first_choice_is_taken_if_free(taken: int) -> None:
    chosen = choose({"one": 21_871, "two": taken, "three": 0})
    assert chosen["one"] == 21_871
    assert chosen["two"] != taken
    assert all(LOW <= port < HIGH for port in chosen.values())


def test_no_port_is_given_twice() -> None:
    chosen = choose({"one": 21_872, "two": 21_872})
    assert chosen["one"] != chosen["two"]
