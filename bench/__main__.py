"""`python -m bench`: the whole pipeline on the embedded stack. bench/README.md says what is measured and how."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.house import House, running
from bench.load import GatewaySender, Sender, TopicSender, prepare
from bench.measure import Bench, Phase, Pressure
from bench.workload import Workload
from cli.progress import progress
from client import RetailBrain
from pipeline.errors import RetailBrainError
from schemas.codec import load_codec


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options; `--help` lists them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--events", type=int, default=30_000, help="events of the flat-out phase")
    parser.add_argument("--warm-up", type=int, default=20_000, help="customers known beforehand")
    parser.add_argument("--rate-seconds", type=float, default=15.0, help="length of the half-rate phase")
    parser.add_argument(
        "--rate", type=float, help="events/s of the second phase; half of the first's if not given"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the workload")
    parser.add_argument("--via", choices=("gateway", "topic"), default="gateway", help="the way in")
    parser.add_argument("--batch", type=int, default=500, help="events a request when flat out")
    parser.add_argument("--rate-batch", type=int, default=50, help="events a request at half rate")
    parser.add_argument("--connections", type=int, default=4, help="requests in flight when flat out")
    parser.add_argument("--uncommitted", type=int, default=6_000, help="most events sent and not committed")
    parser.add_argument("--workers", type=int, default=1, help="resolve processes")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args(given)


def sender_of(house: House, via: str) -> Sender:
    """The way in by its name."""
    if via == "topic":
        return TopicSender(house.settings, load_codec(house.settings))
    return GatewaySender(RetailBrain(house.url, house.api_key))


def measure(options: argparse.Namespace, house: House) -> tuple[Phase, Phase]:
    """Warm up, go flat out, then at half that rate."""
    sender = sender_of(house, options.via)
    bench = Bench(house, sender, Pressure(options.connections, options.uncommitted))
    workload = Workload(options.seed)
    with progress() as display:

        def shown(what: str, total: int) -> Callable[[int], None]:
            task = display.add_task(what, total=total)
            return lambda count: display.update(task, completed=count)

        warm_up = prepare(workload.warm_up(options.warm_up), options.batch, sender)
        bench.flat_out(warm_up, shown("warm-up", options.warm_up))
        first = prepare(workload.measured(options.events), options.batch, sender)
        flat_out = bench.flat_out(first, shown("flat out", options.events))
        rate = options.rate or flat_out.events_per_s / 2
        count = int(rate * options.rate_seconds)
        second = prepare(workload.measured(count), options.rate_batch, sender)
        half = bench.at_rate(second, rate, shown(f"{rate:,.0f} events/s", count))
    return flat_out, half


def report(options: argparse.Namespace, flat_out: Phase, half: Phase) -> dict[str, object]:
    """What `--json` writes."""
    names = sorted(set(flat_out.rss_mib) | set(half.rss_mib))
    return {
        "events_per_s": round(flat_out.events_per_s, 1),
        "accepted_to_committed_p50_ms": round(half.p50_ms, 1),
        "accepted_to_committed_p99_ms": round(half.p99_ms, 1),
        "cpu_s_per_1000_events": {n: round(s, 4) for n, s in flat_out.cpu_s_per_1000_events.items()},
        "rss_mib": {n: round(max(flat_out.rss_mib.get(n, 0), half.rss_mib.get(n, 0)), 1) for n in names},
        "flat_out": asdict(flat_out),
        "half_rate": asdict(half),
        "options": {k: v for k, v in vars(options).items() if k != "json"},
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
    }


def show(console: Console, flat_out: Phase, half: Phase) -> None:
    """The result for people."""
    phases = Table(title="Events from the first sent to the last committed")
    for heading in (
        "phase",
        "events",
        "events/s",
        "p50 ms",
        "p99 ms",
        "consumers behind s",
        "sender late ms",
    ):
        phases.add_column(heading, justify="left" if heading == "phase" else "right")
    for name, phase in (("flat out", flat_out), ("half rate", half)):
        phases.add_row(
            name,
            f"{phase.events:,}",
            f"{phase.events_per_s:,.0f}",
            f"{phase.p50_ms:,.0f}",
            f"{phase.p99_ms:,.0f}",
            f"{phase.consumers_behind_s:.1f}",
            f"{phase.late_ms:,.0f}",
        )
    console.print(phases)
    processes = Table(title="Processes")
    for heading in ("process", "CPU s / 1,000 events, flat out", "at half rate", "peak RSS MiB"):
        processes.add_column(heading, justify="left" if heading == "process" else "right")
    for name, cpu in flat_out.cpu_s_per_1000_events.items():
        peak = max(flat_out.rss_mib.get(name, 0), half.rss_mib.get(name, 0))
        processes.add_row(
            name, f"{cpu:.3f}", f"{half.cpu_s_per_1000_events.get(name, 0):.3f}", f"{peak:,.0f}"
        )
    console.print(processes)


def main(given: Sequence[str]) -> int:
    """Run the benchmark; the exit status is 1 where something that was sent was not committed."""
    options = arguments(given)
    console = Console(stderr=True)
    try:
        with running(options.workers, lambda step: console.print(f"[dim]{step}")) as house:
            flat_out, half = measure(options, house)
    except RetailBrainError as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red", markup=False)
        return 1
    show(Console(), flat_out, half)
    if options.json:
        options.json.write_text(json.dumps(report(options, flat_out, half), indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
