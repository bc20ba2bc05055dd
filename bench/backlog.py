"""`python -m bench.backlog`: what the stages hold while they work off a backlog. bench/README.md says what is measured.

Everything is in `events.raw` before any process starts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from bench.house import House, running
from bench.load import TopicSender, prepare
from bench.processes import Watch
from bench.workload import Workload
from cli.arrivals import Patience
from cli.progress import progress
from pipeline.errors import PipelineStalled, RetailBrainError
from pipeline.settings import Settings
from pipeline.store.database import Database
from schemas.codec import load_codec

_STALLED_S = 60.0
_BATCH = 500
_STAGES = ("normalize", "resolve")


@dataclass(frozen=True, slots=True)
class Moment:
    """`done` are the messages that each stage has read, `rss_mib` the resident memory of each process."""

    seconds: float
    done: dict[str, int]
    outbox: int
    rss_mib: dict[str, int]

    def __str__(self) -> str:
        held = " ".join(f"{name} {mib}" for name, mib in self.rss_mib.items())
        done = ", ".join(f"{stage} {count:,}" for stage, count in self.done.items())
        return f"{self.seconds:6.0f} s  {done}; {self.outbox:,} in the outbox; MiB: {held}"


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options; `--help` lists them."""
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="events that wait")
    parser.add_argument("--customers", type=int, default=100_000, help="of these, first visits")
    parser.add_argument("--seed", type=int, default=1, help="seed of the workload")
    parser.add_argument("--every", type=float, default=15.0, help="seconds between two moments told")
    parser.add_argument("--json", type=Path, help="also write the moments to this file")
    return parser.parse_args(given)


def fill(settings: Settings, options: argparse.Namespace) -> None:
    """Write the whole backlog to `events.raw`."""
    workload, sender = Workload(options.seed), TopicSender(settings, load_codec(settings))
    known = min(options.customers, options.events)
    events = itertools.chain(workload.warm_up(known), workload.measured(options.events - known))
    with progress() as display:
        task = display.add_task("filling events.raw", total=options.events)
        while loads := prepare(itertools.islice(events, _BATCH), _BATCH, sender):
            for load in loads:
                sender.send(load)
                display.advance(task, len(load.ids))


def moments(house: House, events: int, every_s: float) -> Iterator[Moment]:
    """Until both stages have read everything and all of it is published. Raises PipelineStalled."""
    started, patience = time.monotonic(), Patience(_STALLED_S)
    with Database(house.settings.postgres_dsn.get_secret_value(), "bench") as database:
        while True:
            with database.transaction() as tx:
                read = {stage: int(count) for stage, count in tx.rows("stages_read")}
                outbox = int((tx.row("outbox_depth") or (0,))[0])
            done = {stage: read.get(stage, 0) for stage in _STAGES}
            held = Watch(house.pids()).sample()
            yield Moment(time.monotonic() - started, done, outbox, {n: round(mib) for n, mib in held.items()})
            left = sum(events - count for count in done.values()) + outbox
            if not left:
                return
            if patience.ends(left):
                raise PipelineStalled(f"after {done} of {events} nothing moved for {_STALLED_S:.0f} s")
            time.sleep(every_s)


def linked(house: House) -> int:
    """Events that are stored with what was decided about them."""
    with Database(house.settings.postgres_dsn.get_secret_value(), "bench") as db, db.transaction() as tx:
        return int((tx.row("events_stored") or (0,))[0])


def main(given: Sequence[str]) -> int:
    """Run it; the exit status is 1 where an event was not stored, or nothing moved."""
    options = arguments(given)
    console = Console(stderr=True)

    @contextmanager
    def filled(settings: Settings) -> Iterator[Settings]:
        fill(settings, options)
        yield settings

    told: Callable[[str], None] = lambda step: console.print(f"[dim]{step}")  # noqa: E731
    seen: list[Moment] = []
    try:
        with running(1, told, filled) as house:
            for moment in moments(house, options.events, options.every):
                seen.append(moment)
                console.print(str(moment), markup=False, highlight=False)
            stored = linked(house)
    except RetailBrainError as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red", markup=False)
        return 1
    rate = options.events / seen[-1].seconds
    console.print(f"{stored:,} of {options.events:,} events stored, {rate:,.0f} a second")
    if options.json:
        options.json.write_text(json.dumps([asdict(moment) for moment in seen], indent=1))
    return 0 if stored == options.events else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
