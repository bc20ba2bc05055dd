"""By which version of the key ring records are found, and what a rotation is at (pipeline/rotation)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.privacy.keyring import KeyRing
from pipeline.store.database import Transaction


class Step(StrEnum):
    """What a rotation does, in this order. From `EVIDENCE` on records are found by the new version."""

    FILL = "fill"
    EVIDENCE = "evidence"
    MATCH_KEYS = "match keys"
    IDENTIFIERS = "identifiers"
    ANNOUNCE = "announce"
    REWRAP = "rewrap"


@dataclass(frozen=True, slots=True)
class KeyVersions:
    """Records are found by the hashes of `looked_up`. While a rotation makes those of `filling` ready, new records are
    hashed under it as well; those of `leaving` are being removed."""

    looked_up: int
    filling: int | None = None
    leaving: int | None = None

    @property
    def all(self) -> tuple[int, ...]:
        """Those that hashes stand under."""
        return tuple(v for v in (self.looked_up, self.filling, self.leaving) if v is not None)


@dataclass(frozen=True, slots=True)
class StoredVersions:
    """The same as it is stored. `looked_up` None: by the version that names records, for nothing was rotated yet."""

    looked_up: int | None
    other: int | None
    step: Step | None

    @classmethod
    def of(cls, looked_up: int | None, other: int | None, step: str | None) -> StoredVersions:
        """From columns."""
        return cls(looked_up, other, None if step is None else Step(step))

    def known_to(self, ring: KeyRing) -> KeyVersions:
        """Raises ConfigurationError where the ring holds one of them not, having been read again."""
        fills = self.step is Step.FILL
        versions = KeyVersions(
            self.looked_up or ring.file.named_by,
            self.other if fills else None,
            None if fills else self.other,
        )
        for version in versions.all:
            ring.hash_keys(version)
        return versions


def stored_versions(tx: Transaction) -> StoredVersions:
    """What stands."""
    row = tx.row("key_versions")
    assert row is not None
    return StoredVersions.of(*row)


def key_versions(tx: Transaction, ring: KeyRing) -> KeyVersions:
    """What stands, by a ring that holds it. Raises ConfigurationError."""
    return stored_versions(tx).known_to(ring)
