"""Opens the sealed identity records of a profile, and masks what names a customer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import DictRow

from pipeline.errors import SealBroken
from pipeline.identity.hashing import value_hash
from pipeline.identity.ids import Id
from pipeline.identity.model import Identifier, IdentifierType, IdentityRecord, RecordActivity, Trait
from pipeline.identity.normalize import deserialize
from pipeline.identity.policy import Policy
from pipeline.identity.survivorship import choices
from pipeline.log import get_logger
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import open_sealed

_IDENTIFIERS = frozenset(t.value for t in IdentifierType)
_TRAITS = frozenset(t.value for t in Trait)


def is_masked(attribute: str) -> bool:
    """Whether a golden attribute names a customer by itself, so that it is masked unless it is to be revealed."""
    return attribute in _IDENTIFIERS or attribute == Trait.NATIONAL_ID


@dataclass(frozen=True, slots=True)
class Opened:
    """The content of an identity record. Plaintext: lives in memory only."""

    identifiers: tuple[Identifier, ...]
    traits: Mapping[Trait, str]
    activity: RecordActivity

    def value(self, attribute: str, *, reveal: bool) -> str | None:
        """The record's value of a golden attribute; of an identifier type, its first value. What names a customer by
        itself is masked unless it is to be revealed."""
        if attribute in _IDENTIFIERS:
            values = [i for i in self.identifiers if i.type.value == attribute]
            return shown(values[0], reveal=reveal) if values else None
        found = self.traits.get(Trait(attribute)) if attribute in _TRAITS else None
        return found if reveal or found is None or attribute != Trait.NATIONAL_ID else _abridged(found)


def opened_records(ring: KeyRing, rows: Iterable[DictRow]) -> dict[UUID, Opened]:
    """The records of rows of the query `read_records`, as far as they can be opened."""
    found: dict[UUID, Opened] = {}
    for row in rows:
        record_id: UUID = row["record_id"]
        try:
            key = ring.unwrap(row["wrapped"], row["key_version"], Id(record_id.bytes))
            plain = open_sealed(key, row["sealed"], b"identity_record:sealed:" + record_id.bytes)
        except SealBroken:
            get_logger().error("an identity record does not open", record_id=str(record_id))
            continue
        activity = RecordActivity(row["first_seen"], row["last_seen"], tuple(row["sources"]))
        found[record_id] = Opened(*deserialize(plain), activity)
    return found


def decided_by(records: Mapping[UUID, Opened], policy: Policy) -> dict[tuple[str, UUID], str]:
    """Why each record that wins an attribute wins it, from all records of a profile."""
    told = [
        (IdentityRecord(Id(record_id.bytes), opened.identifiers, opened.traits), opened.activity)
        for record_id, opened in records.items()
    ]
    found = choices(told, policy) if told else {}
    return {(attribute, UUID(bytes=c.record_id)): c.by for attribute, c in found.items()}


def hashed(
    ring: KeyRing, records: Mapping[UUID, Opened], versions: frozenset[int]
) -> dict[tuple[str, str], Identifier]:
    """The records' identifiers by (type, value hash in hex) under those of the given key versions that the ring holds:
    a cache may still tell of one that was retired."""
    secrets = [ring.hash_keys(version).value for version in versions.intersection(ring.versions)]
    return {
        (identifier.type.value, value_hash(secret, identifier).hex()): identifier
        for opened in records.values()
        for identifier in opened.identifiers
        for secret in secrets
    }


def shown(identifier: Identifier, *, reveal: bool) -> str:
    """The identifier's value, masked unless it is to be revealed."""
    return identifier.value if reveal else mask(identifier)


def mask(identifier: Identifier) -> str:
    """Enough to recognise a value one knows, not enough to learn one: j…@example.com, +14…32, L…7."""
    value = identifier.value
    if identifier.type is IdentifierType.EMAIL:
        user, _, domain = value.partition("@")
        return f"{user[:1]}…@{domain}"
    return _abridged(value)


def _abridged(value: str) -> str:
    kept = 2 if len(value) >= 8 else 1 if len(value) >= 4 else 0
    start = value[: kept + 1] if value.startswith("+") else value[:kept]
    return f"{start}…{value[len(value) - kept :]}"
