"""Starting our own modules as processes, wherever the caller stands and however we are installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of ours; the caller's folder cannot put another of its name before it."""
    return (sys.executable, "-P", "-m", name, *arguments)


def environment(**more: str) -> dict[str, str]:
    """This process's environment, in which our modules are found, with `more` added."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}
