"""The stages that wait for somebody, as `status` and `doctor` tell them."""

from __future__ import annotations

import psycopg

from pipeline.errors import StoreUnavailable
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.pauses import Pause, open_pauses
from pipeline.store.roles import Role, as_role

RESUME = "mend what it says, then `retail-brain stage resume {} --reason …`"


def paused_stages(settings: Settings) -> tuple[Pause, ...]:
    """None where Postgres is away or not yet brought up to date: then that is what is wrong."""
    try:
        with (
            Database(as_role(settings, Role.OPERATOR), "status") as database,
            database.transaction() as tx,
        ):
            return open_pauses(tx)
    except (StoreUnavailable, psycopg.errors.UndefinedTable):
        return ()
