"""Everything stored that identity rests on, opened, as of one instant. Holds plaintext: it lives in memory only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pipeline.errors import SealBroken
from pipeline.identity.blocking import match_keys
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    CanonicalRecord,
    Constraint,
    ConstraintKind,
    IdentityRecord,
    MatchKey,
    RecordActivity,
)
from pipeline.privacy.keyring import KeyRing
from pipeline.progress import Progress, silent, watched
from pipeline.store.database import Transaction
from pipeline.store.identity_store import open_record, winners
from pipeline.store.key_versions import KeyVersions, key_versions


class StoredProfile(NamedTuple):
    """A profile. `logged` is the highest version the merge log saw it have before a change; 0 where it never did."""

    version: int
    created_at: datetime
    is_merged: bool
    merged_into: Id | None
    golden: Mapping[str, Id]
    contested: bool
    held: bool
    logged: int


class StoredReview(NamedTuple):
    """A pending review of two profiles: their best pair of records, why it waits, and its confidence."""

    low_record: Id
    high_record: Id
    reason: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands, hashed under `versions` of the keys. `homes` and `activity` are of every record, `records` holds
    those that opened, each with its match keys as they follow from its content; `broken` do not open although their
    key is there. `reviews` are by the two profiles, the lower first. Of `constraints` cannot-links come first.
    """

    versions: KeyVersions
    records: dict[Id, tuple[IdentityRecord, tuple[MatchKey, ...]]] = field(default_factory=dict)
    activity: dict[Id, RecordActivity] = field(default_factory=dict)
    homes: dict[Id, Id] = field(default_factory=dict)
    broken: set[Id] = field(default_factory=set)
    profiles: dict[Id, StoredProfile] = field(default_factory=dict)
    constraints: list[Constraint] = field(default_factory=list)
    reviews: dict[tuple[Id, Id], StoredReview] = field(default_factory=dict)

    @property
    def forgotten(self) -> int:
        """How many records have no data key any more."""
        return len(self.homes) - len(self.records) - len(self.broken)

    def held(self) -> list[frozenset[Id]]:
        """The opened records of each profile that is held together until a steward answers a proposal."""
        return [records for p, records in self.members().items() if self.profiles[p].held]

    def members(self) -> dict[Id, frozenset[Id]]:
        """The opened records of each profile that has any."""
        found: dict[Id, set[Id]] = {}
        for record in self.records:
            found.setdefault(self.homes[record], set()).add(record)
        return {profile: frozenset(records) for profile, records in found.items()}


def read_stored(tx: Transaction, ring: KeyRing, progress: Progress = silent) -> Stored:
    """Read everything in the transaction, best a `Database.snapshot`. Raises StoreUnavailable, ConfigurationError."""
    stored = Stored(key_versions(tx, ring))
    secret = ring.hash_keys(stored.versions.looked_up).match
    total = (tx.row("stored_counts") or (0,))[0]
    products = {r: frozenset(bought) for r, bought in tx.stream("stored_products")}
    for record, home, first, last, sources, sealed, wrapped, version in watched(
        tx.stream("stored_records"), "records", total, progress
    ):
        stored.homes[record] = home
        stored.activity[record] = RecordActivity(first, last, tuple(sources))
        if wrapped is None:
            continue
        try:
            content = open_record(ring, record, sealed, wrapped, version)
        except SealBroken:
            stored.broken.add(record)
            continue
        canonical = CanonicalRecord(content.identifiers, content.traits)
        bought = products.get(record)
        stored.records[record] = (
            content.having_bought(bought) if bought else content,
            match_keys(canonical, secret),
        )
    for profile, version, created, merged, into, golden, contested, held, logged in tx.stream(
        "stored_profiles"
    ):
        stored.profiles[profile] = StoredProfile(
            version, created, merged, into, winners(golden), contested, held, logged or 0
        )
    for kind, left, right in tx.stream("stored_constraints"):
        stored.constraints.append(Constraint(ConstraintKind(kind), frozenset(left), frozenset(right)))
    for low, high, *review in tx.stream("stored_reviews"):
        stored.reviews[low, high] = StoredReview(*review)
    return stored
