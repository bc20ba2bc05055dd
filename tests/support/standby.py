"""A Postgres with a standby that can take its place."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from infra.embedded import server
from infra.embedded.ports import choose
from infra.embedded.postgres import Postgres
from infra.embedded.processes import end, working_in
from tests.support.worker import eventually

NAME = "standby"


class Pair:
    """The primary, and the standby that streams from it: asynchronously, until `synchronous` is called."""

    def __init__(self, folder: Path) -> None:
        ports = choose({"primary": 0, NAME: 0})
        password = folder / "postgres.password"
        self.primary = Postgres(folder / "primary", (ports["primary"],), password)
        self.standby = Postgres(folder / NAME, (ports[NAME],), password)

    def start(self) -> None:
        """Both, the standby from a base backup."""
        _start(self.primary)
        tool = self.primary.program.parent / "pg_basebackup"
        source = make_conninfo(self.primary.dsn, application_name=NAME)
        command = [str(tool), "--dbname", source, "--pgdata", str(self.standby.folder)]
        subprocess.run([*command, "--write-recovery-conf", "--checkpoint=fast"], check=True)
        _start(self.standby)

    def synchronous(self) -> None:
        """From now on what is committed is on the disks of both."""
        # behind the backup: the standby, once promoted, must not wait for one
        with connected(self.primary) as primary:
            _set(primary, "synchronous_standby_names", NAME)
            eventually(lambda: _holds(primary, "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"))

    def leave_behind(self) -> None:
        """From now on nothing comes to the standby: what is committed is on the primary alone."""
        with connected(self.standby) as standby:
            _set(standby, "primary_conninfo", "")
            eventually(lambda: not _holds(standby, "SELECT FROM pg_stat_wal_receiver"))

    def lose_primary(self) -> None:
        """As if its machine were gone: SIGKILL to all of its processes."""
        server.end_leftovers(self.primary)

    def promote(self) -> None:
        """Make the standby a primary; returns when it is one."""
        with connected(self.standby) as standby:
            assert _holds(standby, "SELECT WHERE pg_promote()")

    def stop(self) -> None:
        """Whichever runs still."""
        for one in (self.primary, self.standby):
            for process in working_in(one.folder, one.program):
                end(process, signal.SIGKILL)


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    """A primary and its standby in the folder, ended with the block."""
    both = Pair(folder)
    try:
        both.start()
        yield both
    finally:
        both.stop()


@contextmanager
def connected(one: Postgres) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection straight to it; each statement is a transaction."""
    with psycopg.connect(one.dsn, autocommit=True) as connection:
        yield connection


def _start(one: Postgres) -> None:
    server.start(one, one.folder.with_suffix(".log"), lambda recorded: None)


def _set(connection: psycopg.Connection[TupleRow], name: str, value: str) -> None:
    connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value))
    connection.execute("SELECT pg_reload_conf()")


def _holds(connection: psycopg.Connection[TupleRow], query: LiteralString) -> bool:
    return connection.execute(query).fetchone() is not None
