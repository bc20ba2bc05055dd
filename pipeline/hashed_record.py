"""From what an event says of a customer to the hashed record that travels on: the core's first steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from pipeline.events import Limits
from pipeline.identity.blocking import match_keys
from pipeline.identity.hashing import record_id, signature, value_hash
from pipeline.identity.model import CanonicalRecord
from pipeline.identity.normalize import canonicalize, serialize
from pipeline.identity.policy import Policy
from pipeline.match_keys import pack_match_keys
from pipeline.privacy.keyring import HashKeys
from pipeline.raw_event import read_customer
from pipeline.remembered import Remembered
from schemas.codec import Codec
from schemas.compiled import Encoded


class HashedRecord(NamedTuple):
    """The record of an event, without plaintext but for `serialized`, which is to be sealed.

    `record_id`, `identifiers` and `match_keys` are fields of HashedRecord in normalized_event.avsc; None and empty
    where nobody is named. `key` partitions: the strongest value hash, else the record id, else empty. `issues` are
    `field:reason`.
    """

    record_id: str | None
    identifiers: Encoded
    match_keys: bytes
    serialized: bytes
    key: bytes
    issues: tuple[str, ...]

    def __repr__(self) -> str:
        """Without the plaintext."""
        return f"HashedRecord(key={self.key!r}, issues={self.issues!r})"


class RecordHasher:
    """Canonicalises and hashes. Customers come back: the last `remembered` distinct contents cost a look-up only.

    Identifiers and match keys are hashed under `keys`, records are named by `naming`. What is remembered is plaintext
    and lives in memory only.
    """

    def __init__(
        self,
        policy: Policy,
        keys: HashKeys,
        naming: bytes,
        region: str,
        remembered: int,
        codec: Codec,
        limits: Limits,
    ) -> None:
        self._policy = policy
        self.keys = keys
        self._naming = naming
        self._region = region
        self._codec = codec
        self._limits = limits
        self._remembered: Remembered[HashedRecord] = Remembered(remembered)

    def hashed(self, identifiers: Encoded, traits: Encoded, today: date, event_id: bytes) -> HashedRecord:
        """The hashed record of an event accepted on the day `today`. Raises BadMessage as `read_customer` does."""
        key = Remembered.key(today.isoformat().encode() + identifiers + traits)
        found = self._remembered.get(key)
        if found is None:
            given, told = read_customer(self._codec, self._limits, identifiers, traits)
            record = canonicalize(given, told, self._policy, region=self._region, today=today)
            found = self._hash(record, event_id)
            if record.is_distinct:
                self._remembered.add(key, found)
        return found

    def _hash(self, record: CanonicalRecord, event_id: bytes) -> HashedRecord:
        issues = tuple(f"{issue.field}:{issue.reason}" for issue in record.issues)
        if record.is_empty:
            return HashedRecord(None, Encoded(), b"", b"", b"", issues)
        serialized = serialize(record, event_id.hex())
        own_id = record_id(signature(self._naming, serialized))
        hashes = [value_hash(self.keys.value, identifier) for identifier in record.identifiers]
        return HashedRecord(
            str(own_id),
            _encoded(self._codec, record, hashes),
            pack_match_keys(match_keys(record, self.keys.match)),
            # orjson's own bytes keep the four kilobytes they were written into: remembered, that is 100 MiB
            bytes(memoryview(serialized)),
            self._strongest(record, hashes) or own_id,
            issues,
        )

    def _strongest(self, record: CanonicalRecord, hashes: Sequence[bytes]) -> bytes:
        ranked = (
            (self._policy.identifiers[i.type].priority, i.type.value, h)
            for i, h in zip(record.identifiers, hashes, strict=True)
        )
        return min(ranked, default=(0, "", b""))[2]


def hashed_fields(codec: Codec, keys: HashKeys, record: CanonicalRecord) -> dict[str, object]:
    """The fields `identifiers` and `match_keys` of HashedRecord in normalized_event.avsc, of a record by itself."""
    hashes = [value_hash(keys.value, identifier) for identifier in record.identifiers]
    return {
        "identifiers": _encoded(codec, record, hashes),
        "match_keys": pack_match_keys(match_keys(record, keys.match)),
    }


def _encoded(codec: Codec, record: CanonicalRecord, hashes: Sequence[bytes]) -> Encoded:
    hashed = [
        {"type": i.type.value, "value_hash": h} for i, h in zip(record.identifiers, hashes, strict=True)
    ]
    return codec.encode_field("events.normalized", "record.identifiers", hashed)
