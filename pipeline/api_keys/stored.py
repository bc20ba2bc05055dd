"""API keys of the database: created, listed, rotated, revoked. A secret is told once and never kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from psycopg.rows import TupleRow

from pipeline.api_keys.scope import MEANINGS, Scope
from pipeline.api_keys.secret import ID_BYTES, SECRET_BYTES, hash_of, written
from pipeline.audit.actions import Action
from pipeline.audit.entry import AuditEntry
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction

_NAME = re.compile(r"(?![0-9a-f]{16}$)[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")

Random = Callable[[int], bytes]
"""So many unguessable bytes: `secrets.token_bytes`."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is stored. `per_minute`: None is the gateway's own limit, 0 none at all."""

    key_id: str
    name: str
    secret_hash: bytes = field(repr=False)
    former_hash: bytes | None = field(repr=False)
    former_until: datetime | None
    scopes: frozenset[Scope]
    per_minute: int | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    rotated_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key shall be. Raises BadInput for a name or limit that cannot be."""

    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None = None
    per_minute: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadInput(
                "name", "1 to 64 letters, digits and . _ @ - are a name; it must not look like an id"
            )
        if self.per_minute is not None and not 0 <= self.per_minute < 2**31:
            raise BadInput("rate limit", "a number of requests a minute from 0 (no limit) to 2147483647")


@dataclass(frozen=True, slots=True)
class Issued:
    """A key and its secret, which nobody can tell again."""

    key_id: str
    name: str
    secret: str = field(repr=False)
    expires_at: datetime | None
    former_until: datetime | None = None


def create(
    tx: Transaction, wanted: Wanted, actor: str, now: datetime, random: Random, reason: str | None = None
) -> Issued:
    """A new key. Raises Conflict where one that is not revoked has its name, BadInput where it would be expired."""
    _lies_ahead(wanted.expires_at, now)
    key_id = random(ID_BYTES).hex()
    secret = written(key_id, random(SECRET_BYTES))
    added = tx.run(
        "add_api_key",
        {
            "key_id": key_id,
            "name": wanted.name,
            "secret_hash": hash_of(secret.encode()),
            "scopes": sorted(wanted.scopes),
            "per_minute": wanted.per_minute,
            "now": now,
            "actor": actor,
            "expires_at": wanted.expires_at,
        },
    )
    if not added:
        raise Conflict(f"there is a key {wanted.name}: rotate or revoke it, or choose another name")
    told = {"name": wanted.name, "scopes": sorted(wanted.scopes), "expires_at": wanted.expires_at}
    _tell(tx, Action.API_KEY_CREATED, key_id, actor, now, reason, told)
    return Issued(key_id, wanted.name, secret, wanted.expires_at)


def listed(tx: Transaction, now: datetime, *, everything: bool) -> list[StoredKey]:
    """Keys, the newest first; those revoked or expired only where everything is asked for."""
    return [key_of(row) for row in tx.rows("api_keys", {"everything": everything, "now": now})]


def revoke(tx: Transaction, named: str, actor: str, now: datetime, reason: str | None = None) -> StoredKey:
    """End a key for good, by its id or name. Raises NotFound, Conflict where it is revoked already."""
    key = _found(tx, named)
    tx.run("revoke_api_key", {"key_id": key.key_id, "actor": actor, "now": now})
    _tell(tx, Action.API_KEY_REVOKED, key.key_id, actor, now, reason, {"name": key.name})
    return key


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new secret for a key: the old one opens for as long as `grace` says; `expires_at` replaces the key's own."""

    grace: timedelta
    expires_at: datetime | None = None


def rotate(
    tx: Transaction,
    named: str,
    rotation: Rotation,
    actor: str,
    now: datetime,
    random: Random,
    reason: str | None = None,
) -> Issued:
    """Another secret under the same id and name. A secret that was still in its grace opens nothing any more.

    Raises NotFound, Conflict where the key is revoked, or has expired and no new end is given, and BadInput for an end
    in the past.
    """
    key = _found(tx, named)
    expires_at = rotation.expires_at or key.expires_at
    if rotation.expires_at is None and expires_at is not None and expires_at <= now:
        raise Conflict(
            f"{key.name} expired at {expires_at:%Y-%m-%d %H:%M} UTC: say until when the new secret opens"
        )
    _lies_ahead(expires_at, now)
    former_until = min(filter(None, (now + rotation.grace, key.expires_at)))
    secret = written(key.key_id, random(SECRET_BYTES))
    tx.run(
        "rotate_api_key",
        {
            "key_id": key.key_id,
            "secret_hash": hash_of(secret.encode()),
            "former_until": former_until,
            "expires_at": expires_at,
            "now": now,
            "actor": actor,
        },
    )
    told = {"name": key.name, "former_until": former_until, "expires_at": expires_at}
    _tell(tx, Action.API_KEY_ROTATED, key.key_id, actor, now, reason, told)
    return Issued(key.key_id, key.name, secret, expires_at, former_until)


def note_used(tx: Transaction, used: Mapping[str, datetime]) -> None:
    """Keep when keys were last used, by their ids."""
    tx.run("note_api_keys_used", (list(used), list(used.values())))


def key_of(row: TupleRow) -> StoredKey:
    """A key of a row of `api_keys`. A scope that a later version gave grants nothing here."""
    key_id, name, secret_hash, former_hash, former_until, scopes, *rest = row
    known = frozenset(Scope(scope) for scope in scopes if scope in MEANINGS)
    return StoredKey(key_id, name, secret_hash, former_hash, former_until, known, *rest)


def _tell(
    tx: Transaction,
    action: Action,
    key_id: str,
    actor: str,
    now: datetime,
    reason: str | None,
    details: Mapping[str, object],
) -> None:
    write_audit(tx, AuditEntry(action, actor, now, (), [f"api_key:{key_id}"], reason, details=details))


def _found(tx: Transaction, named: str) -> StoredKey:
    row = tx.row("lock_api_key", {"named": named})
    if row is None:
        raise NotFound(f"no API key {named} is in force; retail-brain api-keys list tells which are")
    key = key_of(row)
    if key.revoked_at is not None:
        raise Conflict(f"{key.name} ({key.key_id}) was revoked at {key.revoked_at:%Y-%m-%d %H:%M} UTC")
    return key


def _lies_ahead(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise BadInput("expires", "the key would have expired already; name a later time")
