"""Up and down: the servers, the schema, the topics, and Retail Brain's own processes under a supervisor."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from infra.addresses import own_servers, variables, with_addresses, with_gateway_port
from infra.embedded.kafka import Proxied
from infra.embedded.processes import Recorded, end, last_lines, spawn
from infra.embedded.stack import Stack
from infra.migrate import migrate
from infra.python import environment, module
from infra.records import Records
from infra.supervisor import PROCESSES, Supervisor
from infra.topics import ensure_topics
from pipeline.errors import ServerFailed
from pipeline.privacy.keyring import load_key_ring
from pipeline.settings import Settings

READY_TIMEOUT_S = 120.0
SUPERVISOR_STOP_S = 25.0

Told = Callable[[str], None]
Fetched = Callable[[int, int], None]


def silent(_: object, __: object = None) -> None:
    """Tells nobody."""


def servers_up(
    settings: Settings, told: Told = silent, fetched: Fetched = silent, proxied: Proxied | None = None
) -> Settings:
    """Start the embedded servers, unless the environment names others; bring schema, topics and keys up to date.

    Returns the settings that reach them. `told` hears each step, `fetched` how many of Kafka's jars are there;
    `proxied` is a second door of Kafka.
    Raises ServerFailed, ConfigurationError, and RetryLater where a server of the user's own is away.
    """
    if not own_servers():
        told("starting Kafka, Postgres and Valkey")
        settings = with_addresses(settings, Stack(settings.home).start(fetched, proxied))
    told("bringing schema and topics up to date")
    migrate(settings.postgres_dsn.get_secret_value())
    ensure_topics(settings)
    load_key_ring(settings)  # makes the development ring, before several processes would at a time
    return settings


def processes_up(settings: Settings, names: Sequence[str] = PROCESSES, told: Told = silent) -> Settings:
    """Start processes that do not run yet, under a detached supervisor; returns once the gateway is ready.

    `settings` are those of `servers_up`, or lead to the same servers by another way; returned as they are now: the
    gateway's port may have been taken.
    Raises ServerFailed with the end of the log of a process that died meanwhile; it is tried again all the same.
    """
    if not own_servers() and Supervisor(settings.home).running().get("gateway") is None:
        settings = with_gateway_port(settings, Stack(settings.home).choose_gateway_port())
    told("starting " + ", ".join(names))
    supervisor = Supervisor(settings.home, variables(settings))
    supervisor.start(*names)
    started = supervisor.running()
    _watch(settings)
    if "gateway" in names:
        told("waiting for the gateway")
        _await_gateway(settings, supervisor)
    now = supervisor.running()
    for name in names:
        if now.get(name) != started.get(name):
            raise ServerFailed(f"{name} ended as it started{_said(supervisor.log(name))}")
    return settings


def down(home: Path) -> None:
    """Stop everything that `home` knows of: supervisor, processes, servers. Nothing running: nothing is done."""
    end(supervisor_process(home), signal.SIGTERM, SUPERVISOR_STOP_S)
    Supervisor(home).stop()  # what a killed supervisor left
    Stack(home).stop()


def supervisor_process(home: Path) -> Recorded | None:
    """The supervisor, if it runs."""
    recorded = _records(home).read().get("supervisor")
    return recorded if recorded and recorded.process() else None


def _records(home: Path) -> Records:
    return Records(home.resolve() / "supervisor.json")


def _watch(settings: Settings) -> None:
    home = settings.home.resolve()
    with _records(home).changing() as records:
        held = records.get("supervisor")
        if held is not None and held.process() is not None:
            return
        records["supervisor"], _ = spawn(
            module("infra.supervisor", str(home), *([] if own_servers() else ["--embedded"])),
            folder=Path.cwd(),
            log=home / "logs" / "supervisor.log",
            environment=environment(**variables(settings)),
        )


def gateway_url(settings: Settings) -> str:
    """Where a caller on this machine reaches the gateway."""
    anywhere = settings.gateway_host in ("0.0.0.0", "::")  # noqa: S104 compared, not bound
    host = "127.0.0.1" if anywhere else settings.gateway_host
    return f"http://{host}:{settings.gateway_port}"


def _await_gateway(settings: Settings, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if _answers(f"{gateway_url(settings)}/readyz"):
            return
        time.sleep(0.1)
    raise ServerFailed(
        f"the gateway was not ready within {READY_TIMEOUT_S:.0f} s{_said(supervisor.log('gateway'))}"
    )


def _said(log: Path) -> str:
    return f"; the end of {log}:\n{last_lines(log)}"


def _answers(url: str) -> bool:
    with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=2):  # noqa: S310 our own gateway
        return True
    return False
