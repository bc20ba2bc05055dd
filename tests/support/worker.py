"""A long-running process of the house, started by a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import TracebackType

from pydantic import SecretStr

from pipeline.settings import Settings


class Worker:
    """`main` of a module in a process of its own; killed at the end of the block if it still runs."""

    def __init__(self, module: str, settings: Settings, **overrides: str) -> None:
        set_fields = {n: getattr(settings, n) for n in settings.model_fields_set}
        plain = {
            f"RB_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in set_fields.items()
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.run", module],
            env={**os.environ, **plain, **overrides},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait(10)

    def stop(self, patience_s: float = 10.0) -> int:
        """SIGTERM; returns the exit status. Raises TimeoutExpired."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(patience_s)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.kill()


def eventually(
    holds: Callable[[], bool], patience_s: float = 30.0, moving: Callable[[], object] = lambda: None
) -> None:
    """Returns as soon as it holds; fails once `moving` has said the same for the patience given."""
    said, deadline = moving(), time.monotonic() + patience_s
    while not holds():
        if (says := moving()) != said:
            said, deadline = says, time.monotonic() + patience_s
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.05)
