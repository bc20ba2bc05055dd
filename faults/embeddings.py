"""Embeddings against the events: each profile's vector is that of what its orders hold, worked out here by itself."""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import cast

from faults.finding import Finding, FindingKind
from faults.state import ProfileState
from pipeline.settings import Settings
from pipeline.store.database import Database, Transaction

_POLL_S = 0.2
_NEWEST = 1_000  # orders that count
_SIZE = 768
_TOLERANCE = 1e-5  # of a component: they are stored as 32-bit floats

Item = Mapping[str, object]
Order = tuple[datetime, str, Sequence[Item]]


def embedding_findings(
    settings: Settings, profiles: Mapping[str, ProfileState], timeout_s: float
) -> list[Finding]:
    """What is other than it should be once embeddings have had so long to catch up."""
    deadline = time.monotonic() + timeout_s
    with Database(settings.postgres_dsn.get_secret_value(), "faults") as database:
        while True:
            with database.snapshot() as tx:
                stand: dict[str, Sequence[float]] = dict(tx.rows("faults_embeddings"))
                found = list(_differences(stand, expected(tx), profiles))
            if not found or time.monotonic() >= deadline:
                return found
            time.sleep(_POLL_S)


def expected(tx: Transaction) -> dict[str, list[float]]:
    """The vector of every profile that bought anything."""
    orders: defaultdict[str, list[Order]] = defaultdict(list)
    for profile, at, event, items in tx.rows("faults_orders"):
        orders[profile].append((at, event, items or ()))
    vectors = {profile: _vector(some) for profile, some in orders.items()}
    return {profile: vector for profile, vector in vectors.items() if vector}


def _vector(orders: list[Order]) -> list[float] | None:
    counts: Counter[str] = Counter()
    for _, _, items in sorted(orders, key=lambda order: order[:2], reverse=True)[:_NEWEST]:
        bought = [item for item in items if cast(float, item["quantity"]) > 0]
        counts.update({f"{kind}:{i[kind]}" for i in bought for kind in ("sku", "category") if i.get(kind)})
    vector = [0.0] * _SIZE
    for name in sorted(counts):
        number = int(hashlib.blake2b(name.encode(), digest_size=8).hexdigest(), 16)
        sign = 1 if number % 2 else -1
        vector[number // 2 % _SIZE] += sign * math.log(1 + counts[name])
    length = math.sqrt(math.fsum(x * x for x in vector))
    return [x / length for x in vector] if length > 1e-9 else None


def _differences(
    stand: Mapping[str, Sequence[float]],
    should: Mapping[str, Sequence[float]],
    profiles: Mapping[str, ProfileState],
) -> Iterator[Finding]:
    live = {profile for profile, state in profiles.items() if state.status == "active"}
    for profile in sorted(stand.keys() | should.keys()):
        subject = f"profile {profile}"
        if profile not in should or profile not in live:
            if profile in stand:
                yield Finding(FindingKind.EMBEDDING_SURPLUS, subject, "a vector", "none")
        elif profile not in stand:
            yield Finding(FindingKind.EMBEDDING_MISSING, subject, "no vector", "that of what it bought")
        else:
            apart = max(abs(a - b) for a, b in zip(stand[profile], should[profile], strict=True))
            if apart > _TOLERANCE:
                seen = f"off by {apart:.3g} in a component"
                yield Finding(FindingKind.EMBEDDING_DIFFERS, subject, seen, "that of what it bought")
