"""CPU seconds and peak resident memory of each process of the house, its children included."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import psutil

_MIB = 1024 * 1024


@dataclass(slots=True)
class Watch:
    """Samples the processes named in `pids` while it is entered, once a second.

    Memory of a process with children (Postgres) counts shared pages once: the sum of what each has for itself,
    and the largest shared part.
    """

    pids: Mapping[str, int]
    interval_s: float = 1.0
    peak_rss_mib: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def cpu_s(self) -> dict[str, float]:
        """User and system seconds of each process so far, its living and its ended children included."""
        return {name: _cpu_s(family) for name, family in self._families().items()}

    def sample(self) -> dict[str, float]:
        """The memory of each in MiB, as it is now."""
        now = {name: _rss_mib(family) for name, family in self._families().items()}
        for name, mib in now.items():
            self.peak_rss_mib[name] = max(self.peak_rss_mib.get(name, 0.0), mib)
        return now

    def _families(self) -> dict[str, list[psutil.Process]]:
        """Each process with its descendants, found in one walk; this very process, the parent of all, alone."""
        children: defaultdict[int, list[psutil.Process]] = defaultdict(list)
        by_pid: dict[int, psutil.Process] = {}
        for process in psutil.process_iter(["ppid"]):
            by_pid[process.pid] = process
            children[process.info["ppid"]].append(process)

        def family(head: psutil.Process) -> list[psutil.Process]:
            below = [] if head.pid == os.getpid() else children[head.pid]
            return [head, *(member for child in below for member in family(child))]

        return {name: family(by_pid[pid]) for name, pid in self.pids.items() if pid in by_pid}

    def _run(self) -> None:
        while not self._stop.wait(self.interval_s):
            self.sample()

    def __enter__(self) -> Watch:
        self.sample()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()


def _cpu_s(family: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in family:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if process.pid != os.getpid():  # a parent keeps the times of children that ended and were waited for
            total += times.children_user + times.children_system
    return total


def _rss_mib(family: Sequence[psutil.Process]) -> float:
    own, shared = 0, 0
    for process in family:
        try:
            memory = process.memory_info()
        except psutil.NoSuchProcess:
            continue
        part = getattr(memory, "shared", 0)  # Linux only
        own += memory.rss - part
        shared = max(shared, part)
    return (own + shared) / _MIB
