"""The records a simulation runs over: all that is stored, or those of a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.identity.hold import as_constraints
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint
from pipeline.identity.policy import Policy
from pipeline.identity.scratch import KeyedRecords
from pipeline.mapping import RawRecord
from pipeline.privacy.keyring import KeyRing
from pipeline.progress import Progress
from pipeline.resolve_file import read_rows
from pipeline.store.database import Database
from pipeline.store.stored import read_stored
from pipeline.whatif.example import Names
from pipeline.whatif.simulation import Standing

_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Source:
    """Records, what they are called, what binds, what stewards decided, and what stands: None for a file.

    Constraints bind, and customers that are held together until a steward answers.

    `left_out` counts what could not be simulated: records whose key is gone, rows that name nobody.
    """

    what: str
    records: KeyedRecords
    names: Names
    constraints: Sequence[Constraint]
    decisions: Sequence[Constraint]
    standing: Standing | None
    left_out: int


def from_store(database: Database, ring: KeyRing, progress: Progress) -> Source:
    """Everything stored, as of one instant. Raises StoreUnavailable, ConfigurationError."""
    with database.snapshot() as tx:
        stored = read_stored(tx, ring, progress)
    members = stored.members()
    profiles = {records: profile for profile, records in members.items()}
    return Source(
        what="what is stored",
        records=stored.records,
        names=Names(str, lambda customer: str(profiles[customer])),
        constraints=(*stored.constraints, *as_constraints(stored.held())),
        decisions=tuple(stored.constraints),
        standing=Standing(
            tuple(members.values()),
            tuple((r.low_record, r.high_record, r.reason) for r in stored.reviews.values()),
        ),
        left_out=stored.forgotten + len(stored.broken),
    )


def from_file(
    rows: Iterable[RawRecord], name: str, policy: Policy, region: str, progress: Progress
) -> Source:
    """The rows of a file, normalized by the active policy."""
    read = read_rows(rows, policy, region, progress=progress)
    called: defaultdict[Id, list[str]] = defaultdict(list)
    for row, record in zip(read.rows, read.record_of, strict=True):
        if record is not None:
            called[record].append(row.record_id)
    return Source(
        what=f"the file {name}",
        records=read.content.records,
        names=Names(lambda record: _listed(called[record]), lambda customer: ""),
        constraints=(),
        decisions=(),
        standing=None,
        left_out=sum(1 for record in read.record_of if record is None),
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
