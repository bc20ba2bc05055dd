"""Kafka's jars: fetched once by coordinate, held to their SHA-256 at every start."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pipeline.errors import ServerFailed

ATTEMPTS = 4
AT_ONCE = 8
TIMEOUT_S = 60

Fetch = Callable[["Jar", Path], Path]


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of kafka.lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name in the cache."""
        return f"{self.group}-{self.artifact}-{self.version}.jar"


def locked() -> tuple[Jar, ...]:
    """The jars named by kafka.lock."""
    text = resources.files("infra.embedded").joinpath("kafka.lock").read_text("utf-8")
    return tuple(_jar(line) for line in text.splitlines() if line and not line.startswith("#"))


def _jar(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def default_cache(home: Path) -> Path:
    """The user's cache folder, shared by all clones; a folder in `home` where that cannot be written to."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    shared = base / "retail-brain" / "jars"
    try:
        shared.mkdir(parents=True, exist_ok=True)
    except OSError:
        shared = home / "cache" / "jars"
    return shared if os.access(shared, os.W_OK) else home / "cache" / "jars"


def sound(file: Path, jar: Jar) -> bool:
    """Whether the file is there and has the SHA-256 of the lock."""
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == jar.sha256


def fetch_from_maven(jar: Jar, folder: Path) -> Path:
    """Fetch one jar into `folder` by the Maven client inside jgo. Raises OSError, RuntimeError."""
    from jgo.maven import MavenContext

    # it would announce every jar, and complain of sums that we check ourselves
    logging.getLogger("jgo").setLevel(logging.ERROR)
    context = MavenContext(repo_cache=folder, timeout=TIMEOUT_S)
    path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    return Path(path)


def _obtain(jar: Jar, cache: Path, fetch: Fetch) -> Path:
    target = cache / jar.file_name
    if sound(target, jar):
        return target
    problem = "its file in the cache is damaged" if target.exists() else "not fetched yet"
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(0.5 * 2**attempt)
        # a folder of its own an attempt: another clone may be fetching the same jar
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as scratch:
            try:
                got = fetch(jar, Path(scratch))
            except (OSError, RuntimeError) as exc:  # requests' errors are OSErrors; jgo's own RuntimeErrors
                problem = f"{type(exc).__name__}: {exc}"
                continue
            if sound(got, jar):
                got.replace(target)
                return target
            problem = "what came does not have the SHA-256 that kafka.lock names"
    raise ServerFailed(
        f"kafka: {jar.group}:{jar.artifact}:{jar.version} could not be fetched ({problem}). "
        "Check the network and run the command again; what is already fetched is kept."
    )


def obtain(
    cache: Path,
    jars: Sequence[Jar] | None = None,
    fetch: Fetch = fetch_from_maven,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Path, ...]:
    """Paths of all jars, each one checked; absent and damaged ones are fetched, 8 at a time.

    `progress(done, total)` is called as jars become ready. Raises ServerFailed.
    """
    wanted = locked() if jars is None else jars
    cache.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(cache).free < 100 * 2**20:
        raise ServerFailed(
            f"kafka: less than 100 MiB free in {cache}; make room there or set XDG_CACHE_HOME."
        )
    paths = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for path in pool.map(lambda jar: _obtain(jar, cache, fetch), wanted):
            paths.append(path)
            progress(len(paths), len(wanted))
    return tuple(paths)
