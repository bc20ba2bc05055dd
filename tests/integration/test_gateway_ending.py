"""A gateway that is told to end answers what it began, lets go of its Kafka client, and only then is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx

from pipeline.settings import Settings
from tests.support.processes import environment, gateway


def test_it_ends_in_order_while_it_is_asked_for_its_health(house: Settings, tmp_path: Path) -> None:
    """`gateway` checks its status, which says whether threads of the Kafka client outlived it."""
    log = tmp_path / "gateway.log"

    def ask(url: httpx.URL) -> None:
        with suppress(httpx.TransportError):  # asked too late
            while True:
                httpx.get(url, trust_env=False)

    with ThreadPoolExecutor(4) as pool, gateway(house, log) as client:
        client.post("/v1/events", json={"source": "web", "event_type": "visit"}).raise_for_status()
        for _ in range(4):
            pool.submit(ask, client.base_url.join("/readyz"))
        client.get("/readyz").raise_for_status()
    assert "gateway ended" in log.read_text()


_TOLD_AS_IT_STARTS = """
import os, signal
from cli.servers import Process, run
from gateway import server

def make_ports(*given, made=server.make_ports):
    os.kill(os.getpid(), signal.SIGTERM)
    return made(*given)

server.make_ports = make_ports
run(Process.GATEWAY)
"""


def test_it_ends_when_told_so_before_it_serves(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path, "api_keys": "k", "gateway_port": 0})
    command = [sys.executable, "-c", _TOLD_AS_IT_STARTS]
    ended = subprocess.run(command, env=environment(settings), capture_output=True, timeout=30, check=False)
    assert ended.returncode == -signal.SIGTERM, ended.stderr.decode()[-3000:]
