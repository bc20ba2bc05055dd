"""Strikes the processes of a house and their connections, each at its time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from bench.house import House
from faults.between import Between
from faults.plan import Strike, StrikeKind

_KEPT_TRYING_S = 20.0
"""A target that is just being started again is struck as soon as it runs."""


def strikers(house: House, between: Between, strikes: Sequence[Strike]) -> list[Callable[[], bool]]:
    """What strikes, to be run at a time, so that strikes overlap. The time of the load begins now.

    Each tells whether it struck: a target may be down for longer than it waits.
    """
    started = time.monotonic()
    return [partial(_strike, house, between, one, started) for one in strikes]


def _strike(house: House, between: Between, one: Strike, started: float) -> bool:
    time.sleep(max(0.0, started + one.at_s - time.monotonic()))
    match one.kind:
        case StrikeKind.KILL | StrikeKind.PAUSE:
            return _signalled(house, one)
        case StrikeKind.CUT:
            return _cut(between, one)
        case StrikeKind.DELAY:
            with between[one.target].delayed(one.amount / 1_000):
                time.sleep(one.lasting_s)
        case StrikeKind.STALL:
            with between[one.target].stalled():
                time.sleep(one.lasting_s)
    return True


def _signalled(house: House, one: Strike) -> bool:
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
            time.sleep(one.lasting_s)
        finally:
            with suppress(ProcessLookupError):  # killed meanwhile by another strike
                os.kill(pid, signal.SIGCONT)
    return True


def _cut(between: Between, one: Strike) -> bool:
    """Whether there was any connection to cut."""
    cut = 0
    for _ in range(one.amount):
        cut += between[one.target].cut()
        time.sleep(one.lasting_s / one.amount)
    return cut > 0
