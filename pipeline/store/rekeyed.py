"""What a rotation of the keys makes of a record's hashes, and of match keys by which others stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.identity.blocking import twin_keys
from pipeline.identity.hashing import value_hash
from pipeline.identity.model import CanonicalRecord, IdentityRecord
from pipeline.privacy.keyring import HashKeys
from pipeline.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Rehashed:
    """A record's hashes under another version: identifiers as (type, value hash), and what its match keys become."""

    version: int
    identifiers: tuple[tuple[str, bytes], ...]
    keys: Mapping[int, int]


def rehashed(record: IdentityRecord, old: HashKeys, new: HashKeys) -> Rehashed:
    """A record that is found by the `old` keys, under the `new` ones."""
    canonical = CanonicalRecord(record.identifiers, record.traits)
    identifiers = tuple((i.type.value, value_hash(new.value, i)) for i in record.identifiers)
    return Rehashed(new.version, identifiers, twin_keys(canonical, old.match, new.match))


def remember_rekeyed(tx: Transaction, records: Iterable[Rehashed]) -> None:
    """Note what match keys become, for what else names them: limits that were crossed, and evidence."""
    twins = {key: twin for record in records for key, twin in record.keys.items()}
    if twins:
        old = sorted(twins)  # everybody in this order: nobody waits for somebody who waits
        tx.run("insert_rekeyed", (old, [twins[key] for key in old]))
