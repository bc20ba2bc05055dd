"""CPU seconds and peak resident memory of each process of the house, its children included."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

import psutil

_MIB = 1024 * 1024


@dataclass(slots=True)
class Watch:
    """Samples the processes named in `pids` while it is entered, twice a second.

    Memory of a process with children (Postgres) counts shared pages once: the sum of what each has for itself,
    and the largest shared part.
    """

    pids: Mapping[str, int]
    interval_s: float = 0.5
    peak_rss_mib: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def cpu_s(self) -> dict[str, float]:
        """User and system seconds of each process so far, its living and its ended children included."""
        return {name: _cpu_s(pid) for name, pid in self.pids.items()}

    def sample(self) -> None:
        """Take one sample of the memory of each."""
        for name, pid in self.pids.items():
            self.peak_rss_mib[name] = max(self.peak_rss_mib.get(name, 0.0), _rss_mib(pid))

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


def _family(pid: int) -> list[psutil.Process]:
    """The process and its descendants; of this very process, the parent of all the others, itself alone."""
    try:
        head = psutil.Process(pid)
        return [head] if pid == os.getpid() else [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu_s(pid: int) -> float:
    total = 0.0
    ended = pid != os.getpid()
    for process in _family(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        # the times of children that ended and were waited for are kept by their parent
        total += times.user + times.system
        if ended:
            total += times.children_user + times.children_system
    return total


def _rss_mib(pid: int) -> float:
    own, shared = 0, 0
    for process in _family(pid):
        try:
            memory = process.memory_info()
        except psutil.NoSuchProcess:
            continue
        part = getattr(memory, "shared", 0)  # Linux only
        own += memory.rss - part
        shared = max(shared, part)
    return (own + shared) / _MIB
