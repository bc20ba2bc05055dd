"""Root starts Postgres as an ordinary user, without widening the permissions of any folder."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from infra.embedded.processes import Account
from pipeline.errors import ServerFailed

COPIES = Path("/var/lib/retail-brain")


def ordinary() -> Account | None:
    """The account that root gives to Postgres: `nobody`. None where we are an ordinary user ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as exc:
        raise ServerFailed(
            "postgres does not run as root and this machine has no user `nobody`: run as an ordinary user."
        ) from exc
    return Account(entry.pw_uid, entry.pw_gid)


def _reachable(path: Path) -> bool:
    """Whether everybody may walk to the path (which is resolved) and read it."""
    return path.stat().st_mode & 0o5 == 0o5 and all(parent.stat().st_mode & 0o1 for parent in path.parents)


@cache
def reachable_copy(root: Path, parts: Sequence[Path]) -> Path:
    """`root` if any user may run what lies in its `parts`; else a folder with a copy of them, made once.

    Raises ServerFailed where no such folder can be made.
    """
    if all(_reachable(root / part) for part in parts):
        return root
    stamp = "".join(f"{root / part}:{(root / part).stat().st_mtime_ns}" for part in parts)
    name = "postgres-" + hashlib.sha256(stamp.encode()).hexdigest()[:16]
    problems = []
    for base in (COPIES, Path(tempfile.gettempdir()) / "retail-brain-root"):
        try:
            return _copied(root, parts, base, name)
        except OSError as exc:
            problems.append(str(exc))
    raise ServerFailed(
        f"postgres runs as `nobody`, who cannot reach {root}; no copy could be made: {'; '.join(problems)}"
    )


def _copied(root: Path, parts: Sequence[Path], base: Path, name: str) -> Path:
    base.mkdir(mode=0o755, parents=True, exist_ok=True)
    base.chmod(0o755)
    if base.stat().st_uid != os.geteuid() or not _reachable(base):
        raise PermissionError(f"{base} is not ours, or not everybody may walk there")
    target = base / name
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=base) as scratch:
            made = Path(scratch) / name
            for part in parts:
                shutil.copytree(root / part, made / part, ignore=shutil.ignore_patterns("include", "*.a"))
            for folder in (made, *(path for path in made.rglob("*") if path.is_dir())):
                folder.chmod(0o755)
            made.rename(target)
    return target
