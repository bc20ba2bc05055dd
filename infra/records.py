"""Which processes a folder has: name → pid and start time, in a file that several processes may change."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from infra.embedded.processes import Recorded


class Records:
    """The records in one file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, Recorded]:
        """All records; empty where there is no file."""
        try:
            held = json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return {name: Recorded(**entry) for name, entry in held.items()}

    @contextmanager
    def changing(self) -> Iterator[dict[str, Recorded]]:
        """The records, alone with them; what the block makes of them is written back, even if it raises."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            records = self.read()
            try:
                yield records
            finally:
                fresh = self._file.with_suffix(".new")
                fresh.write_text(json.dumps({n: asdict(r) for n, r in records.items()}, indent=1), "utf-8")
                fresh.replace(self._file)
