"""What matching asks of the store.

One contract suite (tests/contract/test_identity_store.py) holds every implementation to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pipeline.holders import HOLDER_BYTES
from pipeline.identity.consent import Statement
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, Edge, IdentityRecord, MatchKey, RecordActivity
from pipeline.identity.settle import ProfileRow


@dataclass(frozen=True, slots=True)
class Known:
    """A stored record's profile; `reorders` where being seen so may change the profile's golden values."""

    profile_id: Id
    version: int
    reorders: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A stored record without its content."""

    profile_id: Id
    activity: RecordActivity


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stored edge and the profiles its two ends stand in. Its comparison carries no levels."""

    edge: Edge
    low_profile: Id
    high_profile: Id


class Held(NamedTuple):
    """A match key as it stands: its wear, the bits that agreement on it has lost, and who holds it, packed
    (pipeline/holders.py). Of a key that is over-full nobody is told."""

    step: int
    lost: float
    holders: bytes

    @property
    def told(self) -> int:
        """How many holders are told of."""
        return len(self.holders) // HOLDER_BYTES


@dataclass(frozen=True, slots=True)
class Grounds:
    """Stored evidence with the match keys by which its two records were found to be candidates."""

    edge: Edge
    via: tuple[MatchKey, ...]


class IdentityStore(Protocol):
    """Reads and locks of one transaction. Locks last until its end."""

    @property
    def secret(self) -> bytes:
        """What the match keys of new records are made with."""

    def known(self, seen: Mapping[Id, RecordActivity]) -> dict[Id, Known]:
        """Those of the records that are stored, and what being seen so would do."""

    def new_products(self, products: Mapping[Id, frozenset[int]]) -> frozenset[Id]:
        """Records among these that have not bought all of these products before."""

    def open_pairs(self, records: Collection[Id]) -> list[tuple[Id, Id]]:
        """Pairs with evidence between one of these records and a record of another profile; low first."""

    def lock_keys(self, keys: Collection[int]) -> None:
        """Keep every other transaction with a new record under one of these keys out until this one ends."""

    def holders(self, keys: Collection[int]) -> dict[int, Held]:
        """For each key its wear and the records that hold it. Keys that nobody holds are missing."""

    def overfull_among(self, keys: Collection[int]) -> frozenset[int]:
        """Those of the keys that are over-full."""

    def grounds(self, records: Collection[Id]) -> list[Grounds]:
        """All stored evidence with both ends in these records."""

    def contents(self, records: Collection[Id]) -> dict[Id, IdentityRecord]:
        """The opened records with all products stored so far, and those of their identifiers that are shared.

        A record whose data key was destroyed is missing.
        """

    def reach(
        self, profiles: Collection[Id], auto_merge: float, review: float, most: int
    ) -> tuple[frozenset[Id], frozenset[Id]]:
        """Profiles that hang together with these by mergeable evidence, and those that share reviewable evidence.

        No step is taken once more than `most` profiles hang together.
        """

    def lock_profiles(self, profiles: Collection[Id]) -> dict[Id, ProfileRow]:
        """Lock and read profiles."""

    def members(self, profiles: Collection[Id]) -> frozenset[Id]:
        """The records of these profiles."""

    def lock_records(self, records: Collection[Id]) -> None:
        """Lock records; after `lock_profiles`, never before."""

    def standing(self, records: Collection[Id]) -> dict[Id, Standing]:
        """Where these records stand now."""

    def consent(self, records: Collection[Id]) -> Mapping[Id, frozenset[Statement]]:
        """The last word on each purpose by way of each of these records; of others nothing was said."""

    def evidence(self, records: Collection[Id]) -> list[Evidence]:
        """All stored evidence with an end in these records."""

    def constraints(self, records: Collection[Id]) -> Sequence[Constraint]:
        """All standing constraints that name one of these records."""
