"""`python -m bench.matching.speed`: how fast the core matches against many records. bench/README.md says how."""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from typing import cast

from rich.console import Console
from rich.table import Table

from bench.matching.stream import WatchedStore
from bench.workload import Event, Shares, Workload
from pipeline.configuration import load_model, load_policy
from pipeline.identity.ids import Id
from pipeline.identity.model import RecordActivity
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.inprocess import resolve_batch
from pipeline.mapping import RawRecord
from pipeline.matching import Arrival
from pipeline.resolve_file import Content
from pipeline.settings import Settings
from pipeline.stream.process import calm_gc

_REGION = "US"


@dataclass(frozen=True, slots=True)
class Speed:
    """Records per processor second of one core, all of one sort: medians over batches.

    `resolved_per_s` leaves normalization out, `whole_per_s` counts it in. `comparisons` and `overfull` are the pairs
    compared and the match keys skipped a record.
    """

    records: int
    resolved_per_s: float
    whole_per_s: float
    comparisons: float
    overfull: float


class SpeedBench:
    """The seeded workload's people in the store in memory, and the functions of the resolve stage on it."""

    def __init__(self, model: Model, policy: Policy, *, seed: int, batch: int) -> None:
        self._model, self._policy, self._batch = model, policy, batch
        half = Shares(
            repeat=0.0, changed=0.5
        )  # of new records, half are of a known customer, as in the workload
        self._people = Workload(seed, half)
        self._store, self._ids, self._lines = WatchedStore(), count(1), count(1)
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def load(self, records: int) -> Speed:
        """Records of as many customers, from an empty store on."""
        return self._run(self._people.warm_up(records))

    def new(self, records: int) -> Speed:
        """New records: a new customer, or a known one with a new identifier or a misspelt name."""
        return self._run(self._people.measured(records))

    def known(self, records: int) -> Speed:
        """Records that are stored, sent again."""
        self._people.shares = Shares(repeat=1.0, changed=0.0)
        return self._run(self._people.measured(records))

    def _run(self, events: Iterable[Event]) -> Speed:
        calm_gc()  # as the stages do
        compared, skipped = self._store.comparisons, self._store.skipped
        normalizing, resolving, records = [], [], 0
        for rows in _batches(map(self._row, events), self._batch):
            began = time.process_time()
            arrivals = self._normalized(rows)
            ready = time.process_time()
            resolve_batch(self._store, arrivals, self._model, self._policy, self._new_id, self._now)
            done = time.process_time()
            records += len(rows)
            normalizing.append((ready - began) / len(rows))
            resolving.append((done - ready) / len(rows))
        return Speed(
            records,
            1 / median(resolving),
            1 / median(n + r for n, r in zip(normalizing, resolving, strict=True)),
            (self._store.comparisons - compared) / records,
            (self._store.skipped - skipped) / records,
        )

    def _new_id(self) -> Id:
        return Id(next(self._ids).to_bytes(16))

    def _row(self, event: Event) -> RawRecord:
        line = next(self._lines)
        identifiers = cast(Mapping[str, str], event["identifiers"])
        return RawRecord(
            line,
            str(line),
            cast(str, event["source"]),
            cast(str, event["event_type"]),
            datetime.fromisoformat(cast(str, event["occurred_at"])),
            {kind: (value,) for kind, value in identifiers.items()},
            cast(Mapping[str, str], event["traits"]),
            {},
        )

    def _normalized(self, rows: Sequence[RawRecord]) -> dict[Id, Arrival]:
        content = Content(self._policy, _REGION)
        arrivals: dict[Id, Arrival] = {}
        for row in rows:
            record = content.take(row)
            assert record is not None
            assert row.occurred_at is not None
            what, keys = content.records[record]
            activity = RecordActivity(row.occurred_at, row.occurred_at, (row.source,))
            arrivals[record] = Arrival(activity, frozenset(), keys, what)
        return arrivals


def _batches(rows: Iterable[RawRecord], size: int) -> Iterator[list[RawRecord]]:
    batch: list[RawRecord] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options; `--help` lists them."""
    parser = argparse.ArgumentParser(prog="python -m bench.matching.speed", description=__doc__)
    parser.add_argument("--stored", type=int, default=100_000, help="records in memory beforehand")
    parser.add_argument("--records", type=int, default=10_000, help="new records, then known ones, measured")
    parser.add_argument(
        "--batch", type=int, default=Settings().batch_max_events, help="records resolved at a time"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    parser.add_argument(
        "--profile", type=Path, help="write cProfile's statistics of the new records to this file"
    )
    options = parser.parse_args(given)
    if min(options.stored, options.records, options.batch) < 1:
        parser.error("--stored, --records and --batch must be at least 1")
    return options


def show(console: Console, found: Mapping[str, Speed]) -> None:
    """The result for people."""
    table = Table(title="Records per processor second, one core")
    for heading in (
        "",
        "records",
        "resolve alone",
        "with normalize",
        "compared / record",
        "keys skipped / record",
    ):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, one in found.items():
        table.add_row(
            name, f"{one.records:,}", f"{one.resolved_per_s:,.0f}", f"{one.whole_per_s:,.0f}",
            f"{one.comparisons:.1f}", f"{one.overfull:.1f}",
        )  # fmt: skip
    console.print(table)


@contextmanager
def _profiled(to: Path | None) -> Iterator[None]:
    if to is None:
        yield
        return
    profile = cProfile.Profile()
    profile.enable()
    yield
    profile.disable()
    profile.dump_stats(to)
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(40)


def main(given: Sequence[str]) -> int:
    """Run the benchmark."""
    options = arguments(given)
    settings = Settings()
    bench = SpeedBench(load_model(settings), load_policy(settings), seed=options.seed, batch=options.batch)
    found = {"stored beforehand": bench.load(options.stored)}
    with _profiled(options.profile):
        found["new"] = bench.new(options.records)
    found["known"] = bench.known(options.records)
    show(Console(), found)
    if options.json:
        options.json.write_text(
            json.dumps({k: asdict(v) for k, v in found.items()}, indent=2) + "\n", "utf-8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
