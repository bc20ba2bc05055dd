"""A house at rest, and what it has to stand up to then."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from faults.checker import check
from faults.rest import behind
from pipeline.configuration import load_model, load_policy
from pipeline.errors import RetryLater
from pipeline.privacy.keyring import load_key_ring
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.verify.verification import verify
from tests.support.running import Running


def linked(database: Database) -> int:
    """Events with their profile; -1 while nobody can say."""
    try:
        with database.transaction() as tx:
            row = tx.connection.execute("SELECT count(*) FROM event").fetchone()
    except RetryLater:
        return -1
    return int(row[0]) if row else 0


def at_rest(settings: Settings, database: Database) -> bool:
    """Whether everything that was sent has gone all its way."""
    try:
        return not behind(settings, database)
    except RetryLater:
        return False


def ended(processes: Mapping[str, Running]) -> set[str]:
    """Those that should run and do not."""
    return {name for name, process in processes.items() if process.ended}


def assert_kept(settings: Settings, database: Database, accepted: Collection[str]) -> None:
    """Every promise to those whose events were accepted; and the partition is that of clustering from scratch."""
    assert check(settings, accepted) == []
    assert_verified(settings, database)


def assert_verified(settings: Settings, database: Database) -> None:
    """`retail-brain verify` finds nothing."""
    ring, model, policy = load_key_ring(settings), load_model(settings), load_policy(settings)
    assert verify(database, ring, model, policy).faults == ()
