"""One phase of the benchmark, from the first event sent to the last one committed and consumed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.house import House
from bench.load import Load, Sender, closed_loop, open_loop
from bench.processes import Watch
from cli.arrivals import Arrivals, missing_from
from infra.supervisor import DOWNSTREAM
from pipeline.errors import PipelineStalled
from pipeline.identity.ids import Id
from pipeline.store.database import Database

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Phase:
    """What a phase measured. CPU counts until the consumers have caught up; `late_ms` is the sender's own."""

    events: int
    events_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_s_per_1000_events: Mapping[str, float]
    rss_mib: Mapping[str, float]
    consumers_behind_s: float
    late_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Pressure:
    """How hard to push: open connections, and events sent that are not committed."""

    connections: int = 4
    most_uncommitted: int = 6_000


class Bench:
    """Runs phases against one house."""

    def __init__(self, house: House, sender: Sender, pressure: Pressure) -> None:
        self._house = house
        self._sender = sender
        self._pressure = pressure
        self._database = Database(house.settings.postgres_dsn.get_secret_value(), "bench")

    def flat_out(self, loads: Sequence[Load], progress: Progress) -> Phase:
        """Closed loop: the next load goes as soon as a connection and the bound on uncommitted events allow."""
        arrivals = Arrivals(missing_from(self._database))

        def run() -> tuple[float, float]:
            seconds = closed_loop(
                loads,
                self._sender,
                arrivals,
                connections=self._pressure.connections,
                most_uncommitted=self._pressure.most_uncommitted,
                on_progress=progress,
            )
            return seconds, 0.0

        return self._phase(loads, run)

    def at_rate(self, loads: Sequence[Load], rate: float, progress: Progress) -> Phase:
        """Open loop: `rate` events a second, whatever became of the ones before."""
        arrivals = Arrivals(missing_from(self._database))

        def run() -> tuple[float, float]:
            started = time.monotonic()
            late = open_loop(loads, self._sender, arrivals, connections=16, rate=rate, on_progress=progress)
            return time.monotonic() - started, late

        return self._phase(loads, run)

    def _phase(self, loads: Sequence[Load], run: Callable[[], tuple[float, float]]) -> Phase:
        ids = [event_id for load in loads for event_id in load.ids]
        with Watch({**self._house.pids(), "load generator": os.getpid()}) as watch:
            before = watch.cpu_s()
            seconds, late = run()
            behind = self._settle(watch)
            spent = {name: s - before.get(name, 0.0) for name, s in watch.cpu_s().items()}
        p50, p99 = self._latency(ids)
        return Phase(
            events=len(ids),
            events_per_s=len(ids) / seconds,
            p50_ms=p50,
            p99_ms=p99,
            cpu_s_per_1000_events={name: s * 1000 / len(ids) for name, s in spent.items()},
            rss_mib=watch.peak_rss_mib,
            consumers_behind_s=behind,
            late_ms=late * 1000,
        )

    def _settle(self, watch: Watch, patience_s: float = 120.0) -> float:
        """Wait until the outbox is empty and the consumers rest; returns the seconds they were behind.

        A consumer rests when it takes less than a tenth of a processor for a second. Committed offsets say less:
        consumers commit them late and now and then.
        """
        started = time.monotonic()
        while True:
            rows, before, since = self._outbox(), watch.cpu_s(), time.monotonic()
            time.sleep(1.0)
            spent = {name: s - before[name] for name, s in watch.cpu_s().items() if name in DOWNSTREAM}
            busy = [name for name, s in spent.items() if s > 0.1 * (time.monotonic() - since)]
            if not rows and not busy:
                return since - started
            if time.monotonic() - started > patience_s:
                raise PipelineStalled(
                    f"after {patience_s:.0f} s {rows} rows wait in the outbox; still busy: {', '.join(busy) or 'none'}"
                )

    def _outbox(self) -> int:
        with self._database.transaction() as tx:
            row = tx.row("outbox_depth")
        return int(row[0]) if row else 0

    def _latency(self, ids: list[Id]) -> tuple[float, float]:
        with self._database.transaction() as tx:
            row = tx.row("latency_of", (ids,))
        if row is None or row[2] != len(ids):
            raise PipelineStalled(
                f"{len(ids)} events were sent, {row[2] if row else 0} are in the event table"
            )
        return float(row[0]), float(row[1])
