"""Resolve a file in memory: the same core as the stream, without servers and without anything kept."""

from __future__ import annotations

import csv
import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from pipeline.codes import ReasonCode
from pipeline.configuration import load_model, load_policy
from pipeline.errors import BadInput
from pipeline.identity import hashing, scratch
from pipeline.identity.blocking import match_keys
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord, MatchKey, Partition
from pipeline.identity.normalize import canonicalize, serialize
from pipeline.identity.policy import Policy
from pipeline.mapping import BadRow, RawRecord
from pipeline.progress import Progress, silent, watched
from pipeline.resolve_records import resolve_records
from pipeline.settings import Settings
from pipeline.training.learn import learn

SECRET = b"nothing that is hashed here is stored, so the key need not be secret"
"""What a file in memory is hashed with."""


@dataclass(frozen=True, slots=True)
class FileResolution:
    """The outcome: a profile id for each row in file order, and what was met on the way.

    `issues` counts values kept out of matching by `field:reason`. `record_of` tells the identity record of each row,
    None where a row names nobody: it stands alone.
    """

    assigned: tuple[tuple[str, Id], ...]
    record_of: tuple[Id | None, ...]
    records: int
    comparisons: int
    pairs: frozenset[tuple[Id, Id]]
    overfull_keys: int
    partition: Partition
    issues: Mapping[str, int]

    def summary(self, bad: Sequence[BadRow], seconds: float) -> dict[str, int | float | dict[str, int]]:
        """The outcome in numbers; `issues` by `field:reason`, lines that are no record among them."""
        issues = Counter(self.issues)
        issues.update(f"line:{row.reason}" for row in bad)
        return {
            "rows": len(self.assigned),
            "bad_rows": len(bad),
            "records": self.records,
            "profiles": len({profile for _, profile in self.assigned}),
            "comparisons": self.comparisons,
            "reviews": len(self.partition.refused),
            "overfull_keys": self.overfull_keys,
            "seconds": round(seconds, 3),
            "rows_per_s": round(len(self.assigned) / seconds) if seconds else 0,
            "issues": dict(sorted(issues.items())),
        }


def resolve_rows(
    rows: Iterable[RawRecord],
    settings: Settings,
    *,
    region: str = "",
    shuffle_seed: int | None = None,
    train: bool = False,
    progress: Progress = silent,
) -> FileResolution:
    """Resolve rows into profiles. A seed shuffles them before anything else sees them; the outcome is the same.

    `region` takes the place of `settings.default_region` where given. `train` first learns the model from the rows,
    without labels. Memory grows with the distinct records.
    """
    policy, model = load_policy(settings), load_model(settings)
    read = read_rows(
        rows, policy, region or settings.default_region, shuffle_seed=shuffle_seed, progress=progress
    )
    if train:
        model = learn(read.content.records, model, policy, progress=progress).model
    records = scratch.weighed(read.content.records, policy)
    found = resolve_records(records, (), model, policy, progress)
    return FileResolution(
        assigned=tuple(zip((r.record_id for r in read.rows), _profiles(read, found.partition), strict=True)),
        record_of=read.record_of,
        records=len(records),
        comparisons=len(found.pairs),
        pairs=found.pairs,
        overfull_keys=len(scratch.overfull(records, policy)),
        partition=found.partition,
        issues=dict(read.content.issues),
    )


class Content:
    """The distinct identity records of the rows taken so far, and how often each `field:reason` was an issue."""

    def __init__(self, policy: Policy, region: str) -> None:
        self._policy, self._region = policy, region
        self._today = datetime.now(UTC).date()
        self.records: dict[Id, tuple[IdentityRecord, tuple[MatchKey, ...]]] = {}
        self.issues: Counter[str] = Counter()

    def take(self, row: RawRecord) -> Id | None:
        """The identity record of a row; None where it names nobody."""
        canonical = canonicalize(
            row.identifiers, row.traits, self._policy, region=self._region, today=self._today
        )
        self.issues.update(f"{issue.field}:{issue.reason}" for issue in canonical.issues)
        if canonical.is_empty:
            self.issues[f"record:{ReasonCode.NO_IDENTITY}"] += 1
            return None
        record_id = hashing.record_id(hashing.signature(SECRET, serialize(canonical, row.record_id)))
        if record_id not in self.records:
            record = IdentityRecord(record_id, canonical.identifiers, canonical.traits)
            self.records[record_id] = record, match_keys(canonical, SECRET)
        return record_id


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Rows in the order of the file, the identity record of each (None: it names nobody), and their content."""

    rows: tuple[RawRecord, ...]
    record_of: tuple[Id | None, ...]
    content: Content


def read_rows(
    rows: Iterable[RawRecord],
    policy: Policy,
    region: str,
    *,
    shuffle_seed: int | None = None,
    progress: Progress = silent,
) -> ReadRows:
    """Normalize rows, in an order that a seed shuffles."""
    taken = tuple(watched(rows, "read", 0, progress))
    order = list(range(len(taken)))
    if shuffle_seed is not None:
        random.Random(shuffle_seed).shuffle(order)  # noqa: S311  # an order, not a secret
    content = Content(policy, region)
    record_of: list[Id | None] = [None] * len(taken)
    for n in watched(order, "normalize", len(order), progress):
        record_of[n] = content.take(taken[n])
    return ReadRows(taken, tuple(record_of), content)


def _profiles(read: ReadRows, partition: Partition) -> list[Id]:
    """A cluster is called by its lowest record, so the ids do not depend on the order either."""
    named = {record: min(members) for members in partition.clusters for record in members}
    return [
        Id(uuid5(NAMESPACE_OID, f"{row.line}|{row.record_id}").bytes) if record is None else named[record]
        for row, record in zip(read.rows, read.record_of, strict=True)
    ]


def write_assignments(assigned: Iterable[tuple[str, Id]], out: Path) -> None:
    """Write `record_id,profile_id` as CSV; `-` is stdout. Raises BadInput where the file cannot be written."""
    try:
        with ExitStack() as stack:
            file = (
                sys.stdout
                if str(out) == "-"
                else stack.enter_context(out.open("w", newline="", encoding="utf-8"))
            )
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("record_id", "profile_id"))
            writer.writerows(assigned)
    except OSError as exc:
        raise BadInput(str(out), f"cannot be written: {exc.strerror}") from exc
