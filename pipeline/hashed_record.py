"""From what an event says of a customer to the hashed record that travels on: the core's first steps."""

from __future__ import annotations

import marshal
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b

import orjson

from pipeline.identity.blocking import match_keys
from pipeline.identity.hashing import record_id, signature, value_hash
from pipeline.identity.model import CanonicalRecord
from pipeline.identity.normalize import canonicalize, serialize
from pipeline.identity.policy import Policy
from pipeline.match_keys import pack_match_keys
from pipeline.privacy.keyring import HashKeys


@dataclass(frozen=True, slots=True)
class HashedRecord:
    """The record of an event, without plaintext but for `serialized`, which is to be sealed.

    `fields` are those of HashedRecord in normalized_event.avsc but for sealed_record; None where nobody is named.
    `key` partitions: the strongest value hash, else the record id, else empty. `issues` are `field:reason`.
    """

    fields: Mapping[str, object] | None
    serialized: bytes = field(repr=False)
    key: bytes
    issues: tuple[str, ...]


class RecordHasher:
    """Canonicalises and hashes. Customers come back: the last `remembered` distinct contents cost a look-up only.

    What is remembered is plaintext and lives in memory only.
    """

    def __init__(self, policy: Policy, keys: HashKeys, region: str, remembered: int) -> None:
        self._policy = policy
        self._keys = keys
        self._region = region
        self._remembered = remembered
        self._packed: OrderedDict[bytes, bytes] = OrderedDict()

    def hashed(
        self, identifiers: Mapping[str, Sequence[str]], traits: Mapping[str, str], today: date
    ) -> HashedRecord:
        """The hashed record of an event accepted on the day `today`."""
        content = orjson.dumps((identifiers, traits, today))
        known_as = blake2b(content, digest_size=16).digest()
        packed = self._packed.get(known_as)
        if packed is not None:
            self._packed.move_to_end(known_as)
            return HashedRecord(*marshal.loads(packed))  # noqa: S302  # it never left this process
        found = self._hash(identifiers, traits, today)
        # packed, it takes a tenth of the memory that its objects take
        fields = None if found.fields is None else dict(found.fields)
        self._packed[known_as] = marshal.dumps((fields, found.serialized, found.key, found.issues))
        if len(self._packed) > self._remembered:
            self._packed.popitem(last=False)
        return found

    def _hash(
        self, identifiers: Mapping[str, Sequence[str]], traits: Mapping[str, str], today: date
    ) -> HashedRecord:
        record = canonicalize(identifiers, traits, self._policy, region=self._region, today=today)
        issues = tuple(f"{issue.field}:{issue.reason}" for issue in record.issues)
        if record.is_empty:
            return HashedRecord(None, b"", b"", issues)
        serialized = serialize(record)
        own_id = record_id(signature(self._keys.signature, serialized))
        hashes = [value_hash(self._keys.value, identifier) for identifier in record.identifiers]
        keys = match_keys(record, self._keys.match)
        fields = {
            "record_id": str(own_id),
            "hash_key_version": self._keys.version,
            "identifiers": [
                {"type": i.type.value, "value_hash": h}
                for i, h in zip(record.identifiers, hashes, strict=True)
            ],
            "match_keys": pack_match_keys(keys),
        }
        return HashedRecord(fields, serialized, self._strongest(record, hashes) or own_id.bytes, issues)

    def _strongest(self, record: CanonicalRecord, hashes: Sequence[bytes]) -> bytes:
        ranked = (
            (self._policy.identifiers[i.type].priority, i.type.value, h)
            for i, h in zip(record.identifiers, hashes, strict=True)
        )
        return min(ranked, default=(0, "", b""))[2]
