"""Real processes over given settings: the gateway with a client, and any other by its module."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from uuid import uuid4

import httpx
from pydantic import SecretStr

from pipeline.settings import Settings

PATIENCE_S = 30.0


def environment(settings: Settings) -> dict[str, str]:
    """The settings as the environment of a process."""
    found = {k: v for k, v in os.environ.items() if not k.startswith("RB_")}
    for name, value in settings.model_dump(exclude_none=True).items():
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        found[f"RB_{name.upper()}"] = str(plain)
    return found


@contextmanager
def process(module: str, settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`main(settings)` of a module in a process of its own, ended by SIGTERM; it must end with status 0."""
    command = [sys.executable, "-m", "tests.support.run", module]
    with log.open("ab") as out:
        started = subprocess.Popen(command, env=environment(settings), stdout=out, stderr=out)
    try:
        yield started
    finally:
        running = started.poll() is None
        started.terminate()
        try:
            status = started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            raise
    if running:
        assert status == 0, log.read_text()[-3000:]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def gateway(settings: Settings, log: Path) -> Iterator[httpx.Client]:
    """A gateway that answers, and a client that holds its first key."""
    settings = settings.model_copy(update={"gateway_port": free_port()})
    with process("gateway.server", settings, log) as running:

        def still_runs() -> None:
            assert running.poll() is None, log.read_text()[-3000:]

        with answering(settings, still_runs) as client:
            yield client


@contextmanager
def answering(settings: Settings, meanwhile: Callable[[], None] = lambda: None) -> Iterator[httpx.Client]:
    """A client of the gateway at these settings' port, once it answers, that holds its first key."""
    with httpx.Client(
        base_url=f"http://127.0.0.1:{settings.gateway_port}",
        headers={"Authorization": f"Bearer {next(iter(settings.api_key_list()), '')}"},
        timeout=PATIENCE_S,
        trust_env=False,
    ) as client:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                client.get("/healthz").raise_for_status()
                break
            except httpx.TransportError:
                meanwhile()
                assert time.monotonic() < deadline, "the gateway does not answer"
                time.sleep(0.05)
        yield client


def resolved(client: httpx.Client, event: Mapping[str, object]) -> str | None:
    """Send an event and wait for its profile; under one id, so that a slow machine may ask again."""
    sent = {"event_id": uuid4().hex, **event}
    deadline = time.monotonic() + 2 * PATIENCE_S
    while True:
        answer = client.post("/v1/events", json=sent, headers={"Prefer": "wait=20"})
        if answer.status_code == httpx.codes.OK:
            assert answer.headers["Preference-Applied"] == "wait=20"
            profile_id: str | None = answer.json()["profile_id"]
            return profile_id
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        assert time.monotonic() < deadline, "the event is not resolved"
