"""Retail Brain's processes as the supervisor starts them, without a supervisor."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.settings import Settings
from tests.support.processes import environment

PATIENCE_S = 10.0
"""As long as an orderly end may take."""


class Running:
    """A process as the supervisor starts it, and what it says."""

    def __init__(self, name: str, settings: Settings, log: Path, unsaid: Collection[str] = ()) -> None:
        self._log = log
        variables = {k: v for k, v in environment(settings).items() if k not in unsaid}
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli", "run", name], env=variables, stdout=out, stderr=out
            )

    def says(self, *words: str) -> bool:
        """Whether it runs, and one line says all of these."""
        lines = self._log.read_text().splitlines()
        assert self._process.poll() is None, lines[-20:]
        return any(all(word in line for word in words) for line in lines)

    @property
    def ended(self) -> bool:
        """Whether it has, by itself or by another's doing."""
        return self._process.poll() is not None

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def status(self) -> int:
        """Its exit status. Raises TimeoutExpired."""
        return self._process.wait(PATIENCE_S)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def stand_still(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As a power cut would, if it runs still."""
        self._process.kill()
        self._process.wait()


@contextmanager
def running(
    names: Sequence[str], settings: Settings, folder: Path, unsaid: Collection[str] = ()
) -> Iterator[dict[str, Running]]:
    """Processes by their names, with a log each in `folder`, and an environment that leaves variables `unsaid`; killed
    at the end of the block if they still run."""
    with ExitStack() as ends:
        found = {}
        for name in names:
            found[name] = Running(name, settings, folder / f"{name}.log", unsaid)
            ends.callback(found[name].kill)
        yield found


def ended(processes: Mapping[str, Running]) -> dict[str, int]:
    """The exit statuses of processes that are told to end, all at once. Raises TimeoutExpired."""
    for process in processes.values():
        process.terminate()
    return {name: process.status() for name, process in processes.items()}
