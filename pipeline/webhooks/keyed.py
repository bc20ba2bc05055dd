"""A webhook with its secrets open: what delivering to it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.changes.kinds import ChangeType
from pipeline.identity.ids import Id
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import open_sealed
from pipeline.store.database import Transaction
from pipeline.store.webhooks import Sealed, missing


@dataclass(frozen=True, slots=True)
class Keyed:
    """Where to send, what, and the secrets to sign with: `previous` until its time."""

    url: str
    types: frozenset[ChangeType]
    secret: bytes = field(repr=False)
    previous: bytes | None = field(repr=False)
    previous_until: datetime | None

    def keys(self, now: datetime) -> Sequence[bytes]:
        """The secrets that are valid now, the newest first."""
        old = self.previous if self.previous_until is not None and now < self.previous_until else None
        return [key for key in (self.secret, old) if key is not None]


def keyed(tx: Transaction, ring: KeyRing, webhook_id: Id) -> Keyed:
    """What delivering to a webhook needs, its secrets open. Raises NotFound, SealBroken, ConfigurationError."""
    row = tx.row("webhook_secrets", {"webhook": webhook_id})
    if row is None:
        raise missing(webhook_id)
    found = Sealed(*row)
    key = ring.unwrap(found.wrapped, found.key_version, webhook_id)
    opened = [
        None if sealed is None else open_sealed(key, sealed, secret_context(webhook_id))
        for sealed in (found.secret, found.previous)
    ]
    types = frozenset(map(ChangeType, found.types))
    return Keyed(found.url, types, opened[0] or b"", opened[1], found.previous_until)


def secret_context(webhook_id: Id) -> bytes:
    """The place that a webhook's secrets are sealed for."""
    return b"webhook:secret:" + webhook_id
