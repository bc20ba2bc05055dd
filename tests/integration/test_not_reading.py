"""Those who do not read hold up nobody else: consumers that stand still, and a client that takes no answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra.supervisor import PROCESSES
from pipeline.settings import Settings
from pipeline.store.database import Database
from tests.support.processes import answering, free_port
from tests.support.rest import assert_kept, at_rest, linked
from tests.support.running import Running, running
from tests.support.sending import sending
from tests.support.worker import eventually

CONSUMERS = ("cache", "recommendations", "embeddings", "insights")
REQUESTS = 4_000
MIB = 1 << 20


@pytest.fixture
def settings(house: Settings, tmp_path: Path) -> Settings:
    """Of a house whose gateway counts no requests."""
    free = {"home": tmp_path, "gateway_port": free_port(), "rate_limit_per_minute": 0}
    return house.model_copy(update=free)


def test_consumers_that_stand_still_hold_up_nobody(settings: Settings, tmp_path: Path) -> None:
    with (
        running(PROCESSES, settings, tmp_path) as processes,
        Database(settings.postgres_dsn.get_secret_value(), "test") as database,
        answering(settings) as client,
        standing_still([processes[name] for name in CONSUMERS]),
    ):
        with sending(client, seed=3) as writer:
            eventually(lambda: linked(database) > 500, moving=lambda: linked(database))
        eventually(lambda: at_rest(settings, database), moving=lambda: linked(database))
        assert set(writer.answers) == {202}, "nobody was told to wait"
        for name in CONSUMERS:
            processes[name].go_on()
        assert_kept(settings, database, writer.accepted)


def test_a_client_that_takes_no_answers_costs_the_gateway_no_memory(
    settings: Settings, tmp_path: Path
) -> None:
    with running(("gateway",), settings, tmp_path) as processes, answering(settings) as client:
        client.get("/openapi.json").raise_for_status()
        size = len(client.get("/openapi.json").content)
        gateway = psutil.Process(processes["gateway"].pid)
        before = gateway.memory_info().rss
        with socket.create_connection(("127.0.0.1", settings.gateway_port)) as deaf:
            sent = as_much_as_is_taken(deaf, b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * REQUESTS)
            client.get("/healthz").raise_for_status()
            held = gateway.memory_info().rss - before
        assert held < 32 * MIB < size * REQUESTS, f"{held / MIB:.0f} MiB for {sent} bytes of requests"


def as_much_as_is_taken(to: socket.socket, content: bytes) -> int:
    """Send until the other side takes no more for a second; how many bytes it took."""
    to.settimeout(1)
    sent = 0
    while sent < len(content):
        try:
            sent += to.send(content[sent:])
        except TimeoutError:
            break
    return sent


@contextmanager
def standing_still(processes: list[Running]) -> Iterator[None]:
    """They stand still within the block, and may be ended after it."""
    for process in processes:
        process.stand_still()
    try:
        yield
    finally:
        for process in processes:
            process.go_on()
