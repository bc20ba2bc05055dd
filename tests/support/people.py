"""Small made-up people: records as the normalize stage would make them, under a fixed key ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from pipeline.configuration import load_model, load_policy
from pipeline.identity.blocking import match_keys
from pipeline.identity.hashing import record_id, signature, value_hash
from pipeline.identity.ids import Id
from pipeline.identity.model import CanonicalRecord, IdentityRecord, MatchKeyKind, RecordActivity
from pipeline.identity.normalize import canonicalize, serialize
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.twins import HoldersCompared
from pipeline.matching import Arrival
from pipeline.privacy.keyfile import KeyFile
from pipeline.privacy.keyring import KeyRing, key_ring
from pipeline.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)


@lru_cache
def ring() -> KeyRing:
    """A key ring that is the same in every test."""
    return key_ring(KeyFile(current=1, keys={1: bytes(range(32))}, development=True))


@lru_cache
def model() -> Model:
    """The shipped model."""
    return load_model(Settings())


@lru_cache
def policy() -> Policy:
    """The shipped policy."""
    return load_policy(Settings())


def narrow(cap: int, limit: int) -> Policy:
    """The shipped policy with limits that a handful of records cross: `cap` records a match key, `limit` people an
    identifier, of whom no more than two are all compared."""
    shipped = policy()
    return replace(
        shipped,
        holders_compared=HoldersCompared(all=2, alike=1, others=1),
        block_caps=dict.fromkeys(MatchKeyKind, cap),
        identifiers={
            kind: replace(p, customers_per_identifier=limit) for kind, p in shipped.identifiers.items()
        },
    )


@dataclass(frozen=True, slots=True)
class Person:
    """One identity record and how it arrives."""

    canonical: CanonicalRecord
    record_id: Id
    arrival: Arrival

    @property
    def hashes(self) -> tuple[tuple[str, bytes], ...]:
        """Its identifiers as (type, value hash)."""
        return tuple((i.type.value, value_hash(ring().current.value, i)) for i in self.canonical.identifiers)


def person(
    identifiers: Mapping[str, str | Sequence[str]] | None = None,
    *,
    minute: int = 0,
    source: str = "web",
    products: Sequence[int] = (),
    **traits: str,
) -> Person:
    """A record seen once, `minute` minutes after START."""
    given = {k: [v] if isinstance(v, str) else list(v) for k, v in (identifiers or {}).items()}
    canonical = canonicalize(given, traits, policy(), region="US", today=date(2026, 1, 1))
    keys = ring().current
    record = record_id(signature(keys.signature, serialize(canonical)))
    at = START + timedelta(minutes=minute)
    bought = frozenset(products)
    content = IdentityRecord(record, canonical.identifiers, canonical.traits, bought)
    arrival = Arrival(RecordActivity(at, at, (source,)), bought, match_keys(canonical, keys.match), content)
    return Person(canonical, record, arrival)
