"""What runs, as data and as a table."""

from __future__ import annotations

import time
from typing import TypedDict

import psutil
from rich.table import Table

from infra.embedded.processes import Recorded
from infra.embedded.stack import Stack
from infra.house import gateway_url, supervisor_process
from infra.paused import RESUME, paused_stages
from infra.rotation import rotation_told
from infra.supervisor import Supervisor
from pipeline.settings import Settings
from pipeline.store.pauses import Pause


class Running(TypedDict):
    """One process; pid, uptime and memory are None where it does not run."""

    name: str
    address: str | None
    pid: int | None
    up_s: float | None
    rss_mib: float | None
    log: str


class Paused(TypedDict):
    """A stage that waits for somebody; `told` says all of it in one line, `mend` what to do."""

    stage: str
    since: str
    reason: str
    told: str
    mend: str


class Status(TypedDict):
    """Everything that `home` knows of. healthy: at least one runs, none that was started is away, none is paused.
    rotation: where one of the keys is that is not at its end."""

    home: str
    healthy: bool
    paused: list[Paused]
    rotation: str | None
    servers: list[Running]
    processes: list[Running]


def describe(settings: Settings) -> Status:
    """The state of servers and processes, read from the process table; and who is paused, from Postgres."""
    stack, supervisor = Stack(settings.home), Supervisor(settings.home)
    addresses = {
        "kafka": settings.kafka_bootstrap,
        "postgres": settings.postgres_dsn.get_secret_value().rpartition("@")[2],
        "valkey": settings.redis_url,
        "gateway": gateway_url(settings),
    }
    servers = [
        _running(name, held, addresses[name], str(stack.log(name))) for name, held in stack.running().items()
    ]
    wanted = supervisor.running()
    if wanted:
        wanted = {"supervisor": supervisor_process(settings.home), **wanted}
    processes = [
        _running(name, held, addresses.get(name), str(supervisor.log(name))) for name, held in wanted.items()
    ]
    known = [one for one in servers if one["pid"] or any(server["pid"] for server in servers)] + processes
    paused = [_paused(pause) for pause in paused_stages(settings)] if known else []
    healthy = bool(known) and all(one["pid"] for one in known) and not paused
    return {
        "home": str(settings.home.resolve()),
        "healthy": healthy,
        "paused": paused,
        "rotation": rotation_told(settings) if known else None,
        "servers": servers,
        "processes": processes,
    }


def _paused(pause: Pause) -> Paused:
    return {
        "stage": pause.stage,
        "since": pause.since.isoformat(),
        "reason": pause.reason,
        "told": str(pause),
        "mend": RESUME.format(pause.stage),
    }


def _running(name: str, held: Recorded | None, address: str | None, log: str) -> Running:
    process = held.process() if held else None
    found: Running = {
        "name": name,
        "address": address,
        "pid": None,
        "up_s": None,
        "rss_mib": None,
        "log": log,
    }
    if held is None or process is None:
        return found
    try:
        # Postgres is a family of processes; the supervisor's children are listed themselves
        family = [] if name == "supervisor" else process.children(recursive=True)
        memory = sum(one.memory_info().rss for one in (process, *family))
    except psutil.NoSuchProcess:
        return found
    return {
        **found,
        "pid": held.pid,
        "up_s": round(time.time() - held.started, 1),
        "rss_mib": round(memory / 2**20, 1),
    }


def table(status: Status) -> Table:
    """The same for people."""
    shown = Table(title=status["home"], title_justify="left")
    for column in ("", "pid", "up", "memory", "address"):
        shown.add_column(column)
    for one in (*status["servers"], *status["processes"]):
        shown.add_row(
            one["name"],
            str(one["pid"] or "-"),
            f"{one['up_s']:.0f} s" if one["up_s"] is not None else "[red]not running[/]",
            f"{one['rss_mib']:.0f} MiB" if one["rss_mib"] is not None else "",
            one["address"] or "",
        )
    return shown
