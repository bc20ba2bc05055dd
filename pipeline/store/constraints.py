"""What stewards and rollbacks said of records, as it is read by people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import TupleRow

from pipeline.errors import NotFound
from pipeline.identity.ids import Id
from pipeline.store.database import Transaction

FRONT = ("infinity", str(UUID(int=2**128 - 1)))
"""The place (created at, id) before the first of a list, which has the newest first."""


@dataclass(frozen=True, slots=True)
class StoredConstraint:
    """A constraint with the names of its columns. Its records stand in `left_profiles` and `right_profiles` by now.

    `review_id` is the review it answers, which asks for a merge or a split (`review_kind`). Of one that was revoked
    `revoked_by` and `revoke_reason` are told. `etag` is another one once it is revoked.
    """

    constraint_id: Id
    kind: str
    left_records: tuple[Id, ...]
    right_records: tuple[Id, ...]
    left_profiles: tuple[Id, ...]
    right_profiles: tuple[Id, ...]
    actor: str
    reason: str
    created_at: datetime
    review_id: Id | None
    review_kind: str | None
    revoked_at: datetime | None
    revoked_by: str | None
    revoke_reason: str | None
    etag: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which constraints: those that name records of a profile, and of what else is given. `revoked`: only those that
    were, or only those that stand."""

    profile_id: UUID | None = None
    kind: str | None = None
    actor: str | None = None
    review_id: UUID | None = None
    revoked: bool | None = None

    def parameters(self, at: str, before: str, limit: int) -> dict[str, object]:
        """What `read_constraints` takes, for so many behind a place."""
        return {**asdict(self), "at": at, "id": before, "limit": limit}


def read_constraints(tx: Transaction, wanted: Wanted, limit: int) -> list[StoredConstraint]:
    """The newest of the constraints that are wanted."""
    return [_stored(row) for row in tx.rows("read_constraints", wanted.parameters(*FRONT, limit))]


def read_constraint(tx: Transaction, constraint_id: Id) -> StoredConstraint:
    """One constraint. Raises NotFound."""
    row = tx.row("read_constraint", {"constraint_id": constraint_id})
    if row is None:
        raise NotFound(f"no constraint {constraint_id}")
    return _stored(row)


def _stored(row: TupleRow) -> StoredConstraint:
    constraint_id, kind, left, right, left_profiles, right_profiles, *rest = row
    sides = tuple(left), tuple(right), tuple(left_profiles), tuple(right_profiles)
    return StoredConstraint(constraint_id, kind, *sides, *rest)
