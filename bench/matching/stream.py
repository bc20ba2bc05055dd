"""The core over a data set in some order of arrival: the functions of the resolve stage on the store in memory."""

from __future__ import annotations

import random
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from bench.matching.datasets import DataSet
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord, RecordActivity
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.scratch import KeyedRecords
from pipeline.identity.settle import Settlement
from pipeline.inprocess import resolve_batch
from pipeline.matching import Arrival, Found, fold_activity
from pipeline.resolve_file import SECRET, Content
from pipeline.settings import Settings
from pipeline.store.memory import MemoryIdentityStore

_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data set as it arrives at the resolve stage: the record of each row, None where a row names nobody.

    `cpu_s`: processor seconds that normalizing took.
    """

    data: DataSet
    record_of: tuple[Id | None, ...]
    arrivals: tuple[Arrival | None, ...]
    cpu_s: float

    def content(self, row: int) -> IdentityRecord | None:
        """What a row says in canonical form."""
        arrival = self.arrivals[row]
        return arrival.record if arrival else None

    def records(self) -> KeyedRecords:
        """What is known of each record, and its keys."""
        return {a.record.record_id: (a.record, a.keys) for a in self.arrivals if a and a.record}

    def rows_of(self) -> dict[Id, list[int]]:
        """The rows of each record."""
        found: dict[Id, list[int]] = {}
        for row, record in enumerate(self.record_of):
            if record is not None:
                found.setdefault(record, []).append(row)
        return found


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one order: the cluster of each row, and what it took to find it.

    `overfull` counts the match keys skipped when a record came, `cpu_s` the processor seconds of matching.
    """

    clusters: Mapping[int, Hashable]
    records: int
    comparisons: int
    candidates: frozenset[tuple[Id, Id]]
    overfull: int
    reviews: int
    cpu_s: float


class WatchedStore(MemoryIdentityStore):
    """The store in memory, which also keeps count of what was looked at."""

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.comparisons = 0
        self.skipped = 0
        self.candidates: set[tuple[Id, Id]] = set()

    def write(
        self,
        found: Found,
        settlement: Settlement,
        new: Mapping[Id, Arrival],
        known: Mapping[Id, Arrival],
    ) -> None:
        self.comparisons += found.compared
        self.skipped += sum(len(keys) for keys in found.overfull.values())
        self.candidates |= found.candidates
        super().write(found, settlement, new, known)


def prepare(data: DataSet, policy: Policy) -> Prepared:
    """Normalize every row."""
    started = time.process_time()
    content = Content(policy, data.region or Settings().default_region)
    record_of = tuple(content.take(row) for row in data.rows)
    arrivals: list[Arrival | None] = []
    for row, record in enumerate(record_of):
        if record is None:
            arrivals.append(None)
            continue
        at = _START + timedelta(seconds=row)  # a row's own time, in whatever order the rows come
        what, keys = content.records[record]
        activity = RecordActivity(at, at, (data.rows[row].source,))
        arrivals.append(Arrival(activity, frozenset(), keys, what))
    return Prepared(data, record_of, tuple(arrivals), time.process_time() - started)


def order_of(rows: int, seed: int | None) -> list[int]:
    """The rows in the order of the file, or shuffled."""
    order = list(range(rows))
    if seed is not None:
        random.Random(seed).shuffle(order)
    return order


def run(prepared: Prepared, model: Model, policy: Policy, seed: int | None = None, batch: int = 1) -> Run:
    """Resolve the rows in the order of the file or shuffled, `batch` at a time."""
    store, ids = WatchedStore(), count(1)
    order = order_of(len(prepared.arrivals), seed)
    started = time.process_time()
    for at in range(0, len(order), batch):
        folded = _folded(prepared, order[at : at + batch])
        if folded:
            resolve_batch(store, folded, model, policy, lambda: Id(next(ids).to_bytes(16)), _START)
    cpu_s = time.process_time() - started
    clusters: dict[int, Hashable] = {
        row: f"row {row}" if record is None else store.records[record].profile_id
        for row, record in enumerate(prepared.record_of)
    }
    return Run(
        clusters=clusters,
        records=len(store.records),
        comparisons=store.comparisons,
        candidates=frozenset(store.candidates),
        overfull=store.skipped,
        reviews=len(store.reviews),
        cpu_s=cpu_s,
    )


def _folded(prepared: Prepared, rows: Sequence[int]) -> dict[Id, Arrival]:
    """A batch by record, as the stage hands it over."""
    found: dict[Id, Arrival] = {}
    for row in rows:
        record, arrival = prepared.record_of[row], prepared.arrivals[row]
        if record is None or arrival is None:
            continue
        if before := found.get(record):
            arrival = replace(arrival, activity=fold_activity(before.activity, arrival.activity))
        found[record] = arrival
    return found
