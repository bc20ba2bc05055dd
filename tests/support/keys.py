"""API keys of the environment and of a database that a test writes by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.auth import ApiKeys, Fits
from pipeline.api_keys.configured import configured
from pipeline.api_keys.scope import EVERYTHING, Scope
from pipeline.api_keys.secret import hash_of, written
from pipeline.api_keys.stored import StoredKey
from pipeline.errors import StoreUnavailable

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ID = "0123456789abcdef"
SECRET, OTHER_SECRET = written(ID, b"s" * 32), written(ID, b"t" * 32)


def stored_key(
    secret: str = SECRET,
    *,
    scopes: frozenset[Scope] = EVERYTHING,
    former: str | None = None,
    former_until: datetime | None = None,
    expires_at: datetime | None = None,
    per_minute: int | None = None,
) -> StoredKey:
    """A key of the database."""
    return StoredKey(
        key_id=ID,
        name="till",
        secret_hash=hash_of(secret.encode()),
        former_hash=None if former is None else hash_of(former.encode()),
        former_until=former_until,
        scopes=scopes,
        per_minute=per_minute,
        created_at=NOW - timedelta(days=9),
        created_by="cli",
        expires_at=expires_at,
        rotated_at=None,
        revoked_at=None,
        last_used_at=None,
    )


class Stored:
    """The keys of a database, and whether it is away."""

    def __init__(self, *keys: StoredKey) -> None:
        self.keys = {key.key_id: key for key in keys}
        self.away = False

    async def find(self, key_id: str, fits: Fits) -> StoredKey | None:
        """The key of that id if it fits."""
        if self.away:
            raise StoreUnavailable("away")
        found = self.keys.get(key_id)
        return found if found is not None and fits(found) else None


def keys_of(environment: str, stored: Stored | None = None, now: datetime = NOW) -> ApiKeys:
    """What tells callers, from the text of RB_API_KEYS and a database's keys."""
    return ApiKeys(configured(environment), stored or Stored(), lambda _: None, lambda: now)
