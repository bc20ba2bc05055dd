"""Brings a database's schema up to date: yoyo applies migrations/*.sql in order, each in its own transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import psycopg
from psycopg.conninfo import conninfo_to_dict
from yoyo import read_migrations
from yoyo.backends import DatabaseBackend
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import MigrationList, default_migration_table

from infra.rights import bring_rights
from pipeline.audit.actions import Action
from pipeline.errors import ConfigurationError
from pipeline.log import get_logger
from pipeline.store.database import Database, translated

LOCK = 0x7262_6D69  # "rbmi"
LACKING = (
    "database roles are lacking: run this as an administrator of Postgres, then `retail-brain migrate` again"
)


def migrate(dsn: str) -> tuple[str, ...]:
    """Apply what is missing, and give database roles their rights; returns the names of the migrations applied now.

    Where our login may not make roles, what an administrator has to run is logged; `doctor` says it until it is done.
    Two at once are harmless: the second waits for the first. Raises StoreUnavailable, ConfigurationError.
    """
    with translated(), _alone(dsn), _backend(dsn) as backend:
        # a lock row of yoyo's own can only be that of a run that was killed: we hold the real lock
        backend.break_lock()
        wanted = backend.to_apply(_migrations())
        names = tuple(migration.id for migration in wanted)
        try:
            backend.apply_migrations(wanted)
        except psycopg.ProgrammingError as exc:
            raise ConfigurationError(
                f"a migration of {', '.join(names)} does not fit this database: {exc}"
            ) from exc
        with Database(dsn, "migrate") as database:
            _tell(database)
            if lacking := bring_rights(database):
                get_logger().warning(LACKING, run=" ".join(lacking))
        return names


def _tell(database: Database) -> None:
    """Of every migration that was applied, the audit log has an entry: were this kept from it, the next call would."""
    with database.transaction() as tx:
        tx.run("insert_missing_migrations", {"actor": "migrate", "action": Action.MIGRATION_APPLIED})


def pending(dsn: str, timeout_s: int = 5) -> tuple[str, ...]:
    """Names of the migrations that are not applied yet.

    Raises StoreUnavailable, after `timeout_s` at most where nobody answers; ConfigurationError where the role may not
    read which are.
    """
    with translated(), psycopg.connect(dsn, autocommit=True, connect_timeout=timeout_s) as connection:
        names = tuple(migration.id for migration in _migrations())
        try:
            table = connection.execute("SELECT to_regclass(%s)", (default_migration_table,)).fetchone()
            if table is None or table[0] is None:
                return names
            rows = connection.execute("SELECT migration_id FROM _yoyo_migration").fetchall()
        except psycopg.ProgrammingError as exc:
            raise ConfigurationError(f"what is migrated cannot be told: {exc}") from exc
        return tuple(name for name in names if (name,) not in rows)


def _migrations() -> MigrationList:
    with resources.as_file(resources.files("migrations")) as folder:
        return read_migrations(str(folder)).filter(lambda migration: migration.path.endswith(".sql"))


@contextmanager
def _alone(dsn: str) -> Iterator[None]:
    with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        yield  # the lock ends with the connection, whatever happens to us


@contextmanager
def _backend(dsn: str) -> Iterator[DatabaseBackend]:
    parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    port = parts.pop("port", None)
    uri = DatabaseURI(
        scheme="postgresql+psycopg",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        hostname=parts.pop("host", None),
        port=int(port) if port else None,
        database=parts.pop("dbname", None),
        args=parts,
    )
    backend = PostgresqlPsycopgBackend(uri, default_migration_table)
    backend.init_database()
    try:
        yield backend
    finally:
        backend.connection.close()
