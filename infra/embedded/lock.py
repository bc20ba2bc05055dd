"""Makes kafka.lock's lines: reads group:artifact:version, one a line, from stdin; README.md has the recipe."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from infra.embedded.jars import Fetch, Jar, fetch_from_maven


def lines(coordinates: Iterable[str], fetch: Fetch = fetch_from_maven) -> Iterator[str]:
    """Each coordinate with the SHA-256 of the jar that is fetched for it, sorted."""
    for coordinate in sorted({one.strip() for one in coordinates if one.strip()}):
        group, artifact, version = coordinate.split(":")
        with tempfile.TemporaryDirectory() as folder:
            file = fetch(Jar(group, artifact, version, ""), Path(folder))
            yield f"{coordinate} {hashlib.sha256(file.read_bytes()).hexdigest()}"


if __name__ == "__main__":
    for line in lines(sys.stdin):
        sys.stdout.write(line + "\n")
