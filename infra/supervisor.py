"""Keeps Retail Brain's own processes running: started detached, watched, started again when they die."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.embedded.processes import Recorded, end, spawn
from infra.embedded.stack import Stack
from infra.python import environment, module
from infra.records import Records
from pipeline.errors import RetailBrainError
from pipeline.log import configure, get_logger
from pipeline.settings import settings

PROCESSES = (
    "gateway",
    "normalize",
    "resolve",
    "relay",
    "cache",
    "recommendations",
    "embeddings",
    "insights",
    "webhooks",
)
DOWNSTREAM = ("cache", "recommendations", "embeddings", "insights", "webhooks")
NICENESS = {"gateway": 4, "normalize": 4} | dict.fromkeys(DOWNSTREAM, 15)
"""Who gives way when the processor is short: what was taken in is resolved first, and told on after that.

They do so once they work; a start takes the same from everybody, or on a busy machine it would take minutes."""
STOP_S = 15.0
BACK_OFF_S = (0.2, 15.0)
STEADY_S = 30.0
"""A process that lived this long starts again without delay."""
LOG_LIMIT_BYTES = 64 * 2**20

Command = Callable[[str], Sequence[str]]


def kind(name: str) -> str:
    """What a process runs: `resolve#2` is a second worker of `resolve`."""
    return name.partition("#")[0]


def run_command(name: str) -> Sequence[str]:
    """How a process is started."""
    return module("cli", "run", kind(name), f"--niceness={NICENESS.get(kind(name), 0)}")


class Supervisor:
    """The processes recorded in `home`. Any number of these, in any process, may speak of the same folder."""

    def __init__(
        self, home: Path, variables: Mapping[str, str] | None = None, command: Command = run_command
    ) -> None:
        """`variables` are added to the environment of the processes it starts."""
        self.home = home.resolve()
        self._variables = {"RB_HOME": str(self.home), **(variables or {})}
        self._command = command
        self._records = Records(self.home / "processes.json")
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def start(self, *names: str) -> None:
        """Start those that do not run; they count as wanted from now on."""
        with self._records.changing() as records:
            for name in names:
                held = records.get(name)
                if held is None or held.process() is None:
                    records[name] = self._spawn(name)

    def stop(self, *names: str) -> None:
        """SIGTERM, all at a time; killed after 15 s. Without names: all. They are no longer wanted."""
        with self._records.changing() as records:
            ending = [records.pop(name) for name in names or tuple(records) if name in records]
        with ThreadPoolExecutor(max(1, len(ending))) as pool:
            list(pool.map(lambda held: end(held, signal.SIGTERM, STOP_S), ending))

    def kill(self, name: str) -> None:
        """SIGKILL, as a crash would. It stays wanted: a watching supervisor starts it again."""
        end(self.running().get(name), signal.SIGKILL)

    def restart(self, name: str) -> None:
        """Stop and start one."""
        self.stop(name)
        self.start(name)

    def running(self) -> dict[str, Recorded | None]:
        """Every wanted process; None for those that are not running now."""
        return {name: held if held.process() else None for name, held in self._records.read().items()}

    def log(self, name: str) -> Path:
        """The process's log."""
        return self.home / "logs" / f"{name}.log"

    def watch(self, stopped: threading.Event, stack: Stack | None = None) -> None:
        """Start dead processes again, with back-off, until `stopped` is set; the servers of `stack` too."""
        while not stopped.wait(0.25):
            if stack is not None and not all(stack.running().values()):
                _revive_servers(stack, stopped)
            for name, held in self._records.read().items():
                if held.process() is None:
                    self._revive(name, held)
            for log in (self.home / "logs").glob("*.log"):
                _rotate(log)

    def _revive(self, name: str, died: Recorded) -> None:
        now = time.monotonic()
        if name not in self._not_before:
            self._not_before[name] = now + self._delay(name, died)
        if now < self._not_before[name]:
            return
        del self._not_before[name]
        with self._records.changing() as records:
            if records.get(name) == died:  # still wanted, and nobody else was faster
                records[name] = self._spawn(name)

    def _delay(self, name: str, died: Recorded) -> float:
        steady = time.time() - died.started > STEADY_S
        failures = 0 if steady else self._failures.get(name, 0) + 1
        self._failures[name] = failures
        first, longest = BACK_OFF_S
        delay = min(longest, first * 2 ** (failures - 1)) if failures else 0.0
        get_logger().warning("process ended", process=name, pid=died.pid, starts_again_in_s=delay)
        return delay

    def _spawn(self, name: str) -> Recorded:
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        variables = environment(**self._variables)
        recorded, _ = spawn(self._command(name), folder=Path.cwd(), log=log, environment=variables)
        return recorded


def _revive_servers(stack: Stack, stopped: threading.Event) -> None:
    get_logger().warning(
        "a server ended", running={name: bool(held) for name, held in stack.running().items()}
    )
    try:
        stack.start()
    except RetailBrainError as exc:
        get_logger().error("a server does not start again", reason=str(exc))
        stopped.wait(BACK_OFF_S[1])


def _rotate(log: Path) -> None:
    """Keep one old log; the writer goes on in the same file, to which it only ever appends."""
    if log.stat().st_size > LOG_LIMIT_BYTES:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        with log.open("r+b") as file:
            file.truncate()


def main(home: Path, embedded: bool) -> None:
    """The detached supervisor: watches until SIGTERM, then stops the processes and leaves the servers running."""
    configure(settings(), "supervisor")
    stopped = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stopped.set())
    supervisor = Supervisor(home)
    supervisor.watch(stopped, Stack(home) if embedded else None)
    supervisor.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--embedded" in sys.argv[2:])
