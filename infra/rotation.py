"""A rotation of the keys that is not at its end, as `status` and `doctor` tell of it."""

from __future__ import annotations

import psycopg

from pipeline.errors import StoreUnavailable
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.key_versions import stored_versions

ROTATE = "go on with it: retail-brain keys rotate"


def rotation_told(settings: Settings) -> str | None:
    """Where it is; None where there is none, or Postgres is away or not yet brought up to date."""
    try:
        with (
            Database(settings.postgres_dsn.get_secret_value(), "status") as database,
            database.transaction() as tx,
        ):
            stored = stored_versions(tx)
    except (StoreUnavailable, psycopg.errors.UndefinedTable):
        return None
    return (
        None if stored.step is None else f"at `{stored.step}`; versions {stored.looked_up} and {stored.other}"
    )
