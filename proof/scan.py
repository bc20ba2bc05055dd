"""Looks for needles in bytes and files. Whatever is in the way is told: nothing is passed over in silence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ahocorasick_rs import BytesAhoCorasick

from proof.marks import Needle

_CHUNK = 8 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """A marked value where none may be."""

    where: str
    field: str
    encoding: str


@dataclass(slots=True)
class Scanned:
    """What was looked at."""

    files: int = 0
    bytes: int = 0
    values: int = 0


class Scanner:
    """Finds marked values."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        sought = tuple(needles)
        self._folded = _Sought(n for n in sought if n.folded)
        self._cased = _Sought(n for n in sought if not n.folded)
        self._overlap = max(len(n.data) for n in sought) - 1
        self.scanned = Scanned()

    def value(self, where: str, data: bytes) -> Iterator[Finding]:
        """What is found in bytes that were read from somewhere."""
        self.scanned.values += 1
        yield from self._in(where, data)

    def tree(self, root: Path, leave: Callable[[Path], bool] = lambda path: False) -> Iterator[Finding]:
        """What is found in every file below a folder, and in the names of files; `leave` tells folders to be left out.

        Raises OSError where one cannot be read; one that is gone by then is none.
        """
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if not leave(Path(folder, name))]
            for name in files:
                path = Path(folder, name)
                where = str(path.relative_to(root))
                yield from self._in(f"the name of {where}", name.encode())
                if path.is_file():
                    yield from self._file(path, where)

    def _file(self, path: Path, where: str) -> Iterator[Finding]:
        seen: set[Finding] = set()
        self.scanned.files += 1
        try:
            with path.open("rb") as file:
                kept = b""
                while chunk := file.read(_CHUNK):
                    self.scanned.bytes += len(chunk)
                    seen.update(self._in(where, kept + chunk))
                    kept = chunk[-self._overlap :]
        except FileNotFoundError:
            return
        yield from sorted(seen, key=lambda f: (f.field, f.encoding))

    def _in(self, where: str, data: bytes) -> Iterator[Finding]:
        for needle in (*self._folded.within(data.lower()), *self._cased.within(data)):
            yield Finding(where, needle.field, needle.encoding)


class _Sought:
    """Needles that are all looked for in one pass (Aho and Corasick 1975): one after the other took sixteen times as
    long."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        self._needles = tuple(needles)
        self._automaton = BytesAhoCorasick([n.data for n in self._needles])

    def within(self, data: bytes) -> list[Needle]:
        """Those that are in it."""
        found = self._automaton.find_matches_as_indexes(data, overlapping=True)
        return [self._needles[n] for n in sorted({place[0] for place in found})]
