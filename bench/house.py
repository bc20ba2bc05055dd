"""The whole house in a folder of its own: servers, schema, topics and all processes, gone afterwards.

The environment's own addresses are left aside; the rate limit is off.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from infra.addresses import with_gateway_port
from infra.embedded.kafka import Proxied
from infra.embedded.processes import Recorded
from infra.embedded.stack import Stack
from infra.house import Told, down, gateway_url, processes_up, servers_up
from infra.supervisor import PROCESSES, Supervisor
from pipeline.api_keys.scope import Scope
from pipeline.settings import Settings

_ASIDE = ("RB_KAFKA_BOOTSTRAP", "RB_POSTGRES_DSN", "RB_REDIS_URL", "RB_GATEWAY_PORT", "RB_API_KEYS")


Between = Callable[[Settings], AbstractContextManager[Settings]]
"""Given the settings that lead straight to the servers, what lasts as long as anything runs; it gives the settings
that lead the house's processes there."""


@dataclass(frozen=True, slots=True)
class House:
    """A running house. `settings` lead straight to its servers, `seen` by the way its processes take."""

    settings: Settings
    seen: Settings

    @property
    def url(self) -> str:
        """The gateway's address."""
        return gateway_url(self.settings)

    @property
    def api_key(self) -> str:
        """A key of the gateway that holds every scope."""
        return self.settings.api_key_for(*Scope)

    def pids(self) -> Mapping[str, int]:
        """Every server's and every process's pid, by name."""
        return {name: held.pid for name, held in self._wanted() if held is not None}

    def names(self) -> list[str]:
        """All servers and processes."""
        return [name for name, _ in self._wanted()]

    def missing(self) -> list[str]:
        """The servers and processes that should run and do not."""
        return [name for name, held in self._wanted() if held is None]

    def _wanted(self) -> list[tuple[str, Recorded | None]]:
        servers = Stack(self.settings.home).running().items()
        return [*servers, *Supervisor(self.settings.home).running().items()]


def more_workers(workers: int) -> tuple[str, ...]:
    """The names of the resolve processes after the first."""
    return tuple(f"resolve#{n}" for n in range(2, workers + 1))


@contextmanager
def running(
    workers: int, told: Told, between: Between = nullcontext, proxied: Proxied | None = None
) -> Iterator[House]:
    """Start everything in a new folder, and stop and remove it at the end, an exception or not.

    `workers` is the number of resolve processes; `between` is entered once the servers run, and `proxied` Kafka's
    second door.
    """
    for name in _ASIDE:
        os.environ.pop(name, None)
    os.environ["RB_RATE_LIMIT_PER_MINUTE"] = "0"  # for the processes that are started
    with tempfile.TemporaryDirectory(prefix="rb-bench-") as folder:
        settings = Settings(home=Path(folder))
        try:
            reached = servers_up(settings, told, proxied=proxied)
            with between(reached) as seen:
                try:
                    up = processes_up(seen, (*PROCESSES, *more_workers(workers)), told)
                    yield House(with_gateway_port(reached, up.gateway_port), up)
                finally:
                    down(settings.home)
        finally:
            down(settings.home)
