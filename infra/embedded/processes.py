"""Processes that outlive the command that started them: known again by pid and start time, ended in order."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

KILL_AFTER_S = 20.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process we started. `started` (epoch seconds) tells it from a later one of its pid."""

    pid: int
    started: float

    def process(self) -> psutil.Process | None:
        """The process itself; None once it has gone, or is a zombie nobody has reaped yet."""
        try:
            process = psutil.Process(self.pid)
            # the kernel counts start times in ticks of 10 ms from a boot time that clock changes may shift
            if abs(process.create_time() - self.started) > 2 or _ended(process):
                return None
        except psutil.NoSuchProcess:
            return None
        return process


def _ended(process: psutil.Process) -> bool:
    # a killed process shows as a zombie as soon as its first thread has ended, while others still hold its ports
    return bool(process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1)


@dataclass(frozen=True, slots=True)
class Account:
    """The ordinary user a server runs as when we are root."""

    uid: int
    gid: int


def spawn(
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    account: Account | None = None,
) -> tuple[Recorded, subprocess.Popen[bytes]]:
    """Start a process in its own session and in `folder`; its output is added to `log`."""
    with log.open("ab") as output:
        popen = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    # a dead child that nobody waits for keeps its pid, which Postgres takes for a postmaster that still runs
    threading.Thread(target=popen.wait, name=f"reap-{popen.pid}", daemon=True).start()
    return record(popen.pid), popen


def record(pid: int) -> Recorded:
    """The record of a living process."""
    try:
        return Recorded(pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:  # it ended at once; whoever waits for it will read its log
        return Recorded(pid, 0.0)


def end(
    recorded: Recorded | None, how: signal.Signals = signal.SIGTERM, kill_after_s: float = KILL_AFTER_S
) -> None:
    """Ask the process to stop with signal `how`; kill it when it takes longer. None: nothing."""
    process = recorded.process() if recorded else None
    if recorded is None or process is None:
        return
    with suppress(psutil.NoSuchProcess):
        process.send_signal(how)
    if not _gone(recorded, kill_after_s):
        kill(recorded)


def kill(recorded: Recorded) -> None:
    """SIGKILL, and wait until it is gone."""
    process = recorded.process()
    if process is None:
        return
    with suppress(psutil.NoSuchProcess):
        process.kill()
    _gone(recorded, KILL_AFTER_S)


def _gone(recorded: Recorded, within_s: float) -> bool:
    # not psutil's wait: a zombie whose parent, another process than ours, does not reap it is gone enough
    deadline = time.monotonic() + within_s
    while recorded.process() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def working_in(folder: Path, program: Path) -> list[Recorded]:
    """The processes that run `program` inside `folder`: ours, though no record names them."""

    def ours(pid: int) -> bool:
        try:
            # a fresh object each time: those of process_iter remember the program, also of a child not yet started
            process = psutil.Process(pid)
            return bool(process.exe() == str(program) and process.cwd() == str(folder))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    return [record(pid) for pid in psutil.pids() if ours(pid)]


def last_lines(log: Path, count: int = 15, worth: Callable[[str], bool] = bool) -> str:
    """The end of a log, for an error message; empty if there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 65_536))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join([line for line in lines if worth(line)][-count:])
