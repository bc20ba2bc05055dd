"""Strikes the processes of a house, each at its time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from bench.house import House
from faults.plan import Strike, StrikeKind

_KEPT_TRYING_S = 20.0
"""A target that is just being started again is struck as soon as it runs."""


def strikers(house: House, strikes: Sequence[Strike]) -> list[Callable[[], bool]]:
    """What strikes, to be run at a time, so that strikes overlap. The time of the load begins now.

    Each tells whether it struck: a target may be down for longer than it waits.
    """
    started = time.monotonic()
    return [partial(_strike, house, one, started) for one in strikes]


def _strike(house: House, one: Strike, started: float) -> bool:
    time.sleep(max(0.0, started + one.at_s - time.monotonic()))
    deadline = time.monotonic() + _KEPT_TRYING_S
    while (pid := house.pids().get(one.target)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGKILL if one.kind is StrikeKind.KILL else signal.SIGSTOP)
    except ProcessLookupError:
        return False
    if one.kind is StrikeKind.PAUSE:
        try:
            time.sleep(one.pause_s)
        finally:
            with suppress(ProcessLookupError):  # killed meanwhile by another strike
                os.kill(pid, signal.SIGCONT)
    return True
