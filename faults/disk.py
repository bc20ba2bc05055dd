"""A small file system of its own under Postgres' data, to be filled and freed again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import psycopg

from infra.embedded.stack import Stack
from pipeline.settings import Settings

SIZE_MIB = 192
"""Serves ten rounds if there is a checkpoint between them: without, the log is kept for two gigabytes."""
_STEP = 1 << 20


class SmallDisk:
    """The file system under the Postgres of a house; `problem` says why there is none, where none could be mounted."""

    def __init__(self) -> None:
        self.problem = "not mounted yet"
        self._folder = Path()

    @contextmanager
    def under(self, home: Path) -> Iterator[None]:
        """Kill Postgres, move its data to a file system of SIZE_MIB, and start it again there, until all is stopped at
        the end. Where none may be mounted (it takes root, and Linux) everything stays as it was."""
        self._folder = home.resolve() / "postgres"
        stack, aside = Stack(home), self._folder.with_name("postgres.aside")
        stack.kill("postgres")
        self._folder.rename(aside)
        self._folder.mkdir(mode=0o700)
        self.problem = _mount(self._folder)
        if self.problem:
            self._folder.rmdir()
            aside.rename(self._folder)
        else:
            shutil.copytree(aside, self._folder, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(aside)
        try:
            stack.start()
            yield
        finally:
            stack.stop()
            if not self.problem:
                subprocess.run(["/bin/umount", str(self._folder)], check=True)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is free meanwhile. May be entered several times at once."""
        with TemporaryFile(dir=self._folder) as file:
            _take_all(file)
            yield

    def trim(self, settings: Settings) -> None:
        """A checkpoint, so that the log grows no larger than a small disk takes. Raises psycopg.OperationalError."""
        if not self.problem:
            dsn = settings.postgres_dsn.get_secret_value()
            with psycopg.connect(dsn, connect_timeout=5, autocommit=True) as straight:
                straight.execute("CHECKPOINT")


def _mount(folder: Path) -> str:
    """Why it could not be done; empty where it was."""
    command = ["/bin/mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=0700", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as exc:
        return str(exc)
    return "" if done.returncode == 0 else done.stderr.strip() or f"mount ended with {done.returncode}"


def _take_all(file: IO[bytes]) -> None:
    size, step = 0, _STEP
    while step >= os.fstat(file.fileno()).st_blksize:
        try:
            os.posix_fallocate(file.fileno(), size, step)
            size += step
        except OSError:  # no room for so much: less, down to a block
            step //= 2
