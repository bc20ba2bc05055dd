"""What the three servers have in common: how one is started, awaited, and stopped."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from infra.embedded.processes import Account, Recorded, end, kill, last_lines, spawn, working_in
from infra.priority import give_way
from pipeline.errors import ServerFailed

START_TIMEOUT_S = 120.0  # on a machine that is busy with other things; a dead server is noticed at once
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to run a server: its working directory is its data folder, by which it is recognised. `niceness`: how far it
    gives way to others."""

    program: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    account: Account | None = None
    niceness: int = 0


class Server(Protocol):
    """One embedded server over its data folder."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    @property
    def ports(self) -> tuple[int, ...]:
        """What it listens on, the clients' port first."""

    @property
    def folder(self) -> Path:
        """Where its data lies."""

    @property
    def program(self) -> Path:
        """The executable."""

    def prepare(self) -> Launch:
        """Write configuration; on the first start make the data folder. Raises ServerFailed."""

    def ready(self, pid: int) -> bool:
        """Whether it answers, recovery after a crash included: it, not a stranger who took the port before it."""

    def finish(self) -> None:
        """What is to be done once it is ready."""


class PortTaken(ServerFailed):
    """Another program took one of the server's ports in the meantime: choose others."""


def listening(port: int) -> bool:
    """Whether somebody listens on the loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def end_leftovers(server: Server) -> None:
    """End what a crash left behind in the data folder, orphaned children of a killed server included."""
    for process in working_in(server.folder, server.program):
        kill(process)


def start(server: Server, log: Path, note: Callable[[Recorded], None]) -> None:
    """Start a server and return once it answers. Raises ServerFailed with the end of its log.

    `note` is given the process at once, so that it is found again should we end before it is ready.
    """
    launch = server.prepare()
    end_leftovers(server)
    recorded, popen = spawn(
        (str(launch.program), *launch.arguments),
        folder=server.folder,
        log=log,
        environment=launch.environment,
        account=launch.account,
    )
    note(recorded)
    give_way(launch.niceness, recorded.pid)
    try:
        _await(server, popen, log)
        server.finish()
    except BaseException:
        end(recorded, signal.SIGKILL)
        raise


def _await(server: Server, popen: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if popen.poll() is not None:
            taken = [port for port in server.ports if listening(port)]
            kind = PortTaken if taken else ServerFailed
            raise kind(f"{server.name} ended with status {popen.returncode} as it started{_said(log)}")
        if server.ready(popen.pid):
            return
        time.sleep(0.05)
    raise ServerFailed(f"{server.name} did not answer within {START_TIMEOUT_S:.0f} s{_said(log)}")


def _said(log: Path) -> str:
    return f"; the end of {log}:\n{last_lines(log) or '(empty)'}"
