"""Every model and policy that ever decided, kept whole by version: a decision is explained by its own.

What is stored depends on no file of today: names, nicknames and thresholds are in it.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import TypeVar

import orjson

from pipeline.audit.actions import Action
from pipeline.audit.entry import AuditEntry, named
from pipeline.errors import ConfigurationError, NotFound
from pipeline.frozen import freeze, thaw
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.store.audit import write_audit
from pipeline.store.database import Database, Transaction

FORMAT = 1
"""Raised when what is stored has to be read differently; older formats stay readable."""

_T = TypeVar("_T", Model, Policy)


def packed(value: Model | Policy) -> bytes:
    """A model or policy as it is stored."""
    return zlib.compress(orjson.dumps({"format": FORMAT, "content": freeze(value)}), 9)


def unpacked(kind: type[_T], content: bytes, version: str) -> _T:
    """The model or policy that was packed. Raises ConfigurationError that names what this program cannot read."""
    try:
        data = orjson.loads(zlib.decompress(content))
        stored = data["format"], data["content"]
    except (zlib.error, orjson.JSONDecodeError, KeyError, TypeError) as exc:
        raise ConfigurationError(f"{version} is stored in no known form") from exc
    if stored[0] != FORMAT:
        raise ConfigurationError(
            f"{version} is stored in format {stored[0]}; this version of the program reads {FORMAT}: update it"
        )
    return thaw(kind, stored[1], version)


def register(tx: Transaction, model: Model, policy: Policy, now: datetime) -> None:
    """Keep the configuration that is about to decide; nothing is sent where it is kept already."""
    wanted: dict[tuple[str, str], Model | Policy] = {
        ("model", model.version): model,
        ("policy", policy.version): policy,
    }
    kinds, versions = zip(*wanted, strict=True)
    stored = {(kind, version) for kind, version in tx.rows("stored_versions", (list(kinds), list(versions)))}
    for (kind, version), value in wanted.items():
        if (kind, version) not in stored:
            tx.run("store_configuration", (kind, version, packed(value), now))


class InForce:
    """Registers a stage's configuration before its first decision, and remembers since when it decides by it."""

    def __init__(self, stage: str, model: Model, policy: Policy) -> None:
        self._stage, self._model, self._policy = stage, model, policy
        self._session: object | None = None

    def ensure(self, database: Database) -> None:
        """Once a session, in a transaction of its own. Raises StoreUnavailable."""
        if database.session is not None and database.session is self._session:
            return
        with database.transaction() as tx:
            now = datetime.now(UTC)
            register(tx, self._model, self._policy, now)
            versions = {"model": self._model.version, "policy": self._policy.version}
            if tx.run("put_in_force", {"now": now, "stage": self._stage, **versions}):
                write_audit(tx, self._entry(now))
        self._session = database.session

    def _entry(self, now: datetime) -> AuditEntry:
        decides = (
            *named("stage", self._stage),
            *named("model", self._model.version),
            *named("policy", self._policy.version),
        )
        return AuditEntry(Action.CONFIGURATION_IN_FORCE, self._stage, now, objects=decides)


class Configurations:
    """Stored models and policies by version, read once each."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], Model | Policy] = {}

    def model(self, tx: Transaction, version: str) -> Model:
        """The model of that version. Raises NotFound, ConfigurationError."""
        return self._get(tx, Model, "model", version)

    def policy(self, tx: Transaction, version: str) -> Policy:
        """The policy of that version. Raises NotFound, ConfigurationError."""
        return self._get(tx, Policy, "policy", version)

    def _get(self, tx: Transaction, kind: type[_T], name: str, version: str) -> _T:
        found = self._read.get((name, version))
        if not isinstance(found, kind):
            row = tx.row("configuration_content", (name, version))
            if row is None:
                raise NotFound(f"{name} {version} decided before configurations were kept: it is not stored")
            found = self._read[name, version] = unpacked(kind, row[0], version)
        return found
