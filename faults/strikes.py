"""Strikes the processes of a house, their connections, their disk and their positions, each at its time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psycopg
from psycopg.rows import TupleRow

from bench.house import House
from faults.between import Between
from faults.disk import SmallDisk
from faults.plan import Strike, StrikeKind
from faults.reread import set_back
from infra.supervisor import kind

_KEPT_TRYING_S = 20.0
"""A target that is just being started again is struck as soon as it runs."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that can be struck."""

    house: House
    between: Between
    disk: SmallDisk

    @property
    def workers(self) -> int:
        """How many resolve processes there are."""
        return sum(kind(name) == "resolve" for name in self.house.names())


def strikers(scene: Scene, strikes: Sequence[Strike]) -> list[Callable[[], str]]:
    """What strikes, to be run at a time, so that strikes overlap. The time of the load begins now.

    Each tells why it did not strike; nothing where it did: a target may be down for longer than it waits.
    """
    started = time.monotonic()
    return [partial(_strike, scene, one, started) for one in strikes]


def _strike(scene: Scene, one: Strike, started: float) -> str:
    time.sleep(max(0.0, started + one.at_s - time.monotonic()))
    match one.kind:
        case StrikeKind.KILL:
            return _signalled(scene.house, one, signal.SIGKILL)
        case StrikeKind.PAUSE:
            return _signalled(scene.house, one, signal.SIGSTOP)
        case StrikeKind.CUT:
            return _cut(scene.between, one)
        case StrikeKind.DELAY:
            with scene.between[one.target].delayed(one.amount / 1_000):
                time.sleep(one.lasting_s)
        case StrikeKind.STALL:
            with scene.between[one.target].stalled():
                time.sleep(one.lasting_s)
        case StrikeKind.FILL:
            return _filled(scene, one)
        case StrikeKind.REREAD:
            return set_back(scene.house, one, _KEPT_TRYING_S)
    return ""


def _signalled(house: House, one: Strike, how: signal.Signals) -> str:
    deadline = time.monotonic() + _KEPT_TRYING_S
    while (pid := house.pids().get(one.target)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if pid is None:
        return f"it was down for {_KEPT_TRYING_S:.0f} s"
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return "it had just ended"
    if how is signal.SIGSTOP:
        try:
            time.sleep(one.lasting_s)
        finally:
            with suppress(ProcessLookupError):  # killed meanwhile by another strike
                os.kill(pid, signal.SIGCONT)
    return ""


def _cut(between: Between, one: Strike) -> str:
    cut = 0
    for _ in range(one.amount):
        ends = time.monotonic() + one.lasting_s / one.amount
        while not (these := between[one.target].cut()) and time.monotonic() < ends:
            time.sleep(0.05)  # the target may be down
        cut += these
        time.sleep(max(0.0, ends - time.monotonic()))
    return "" if cut else "there was no connection"


def _filled(scene: Scene, one: Strike) -> str:
    if scene.disk.problem:
        return f"no file system of its own: {scene.disk.problem}"
    if not one.amount:
        with scene.disk.full():
            time.sleep(one.lasting_s)
        return ""
    dsn = scene.house.settings.postgres_dsn.get_secret_value()
    try:
        # before the disk is full: a session that is the first after a start writes a file
        with _connected(dsn) as straight, scene.disk.full():
            ends = time.monotonic() + one.lasting_s
            use_up_log(straight, ends)
            time.sleep(max(0.0, ends - time.monotonic()))
    except psycopg.OperationalError as exc:
        return f"its log could not be used up: {exc}"
    return ""


def _connected(dsn: str) -> psycopg.Connection[TupleRow]:
    deadline = time.monotonic() + _KEPT_TRYING_S
    while True:
        try:
            return psycopg.connect(dsn, connect_timeout=5, autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def use_up_log(straight: psycopg.Connection[TupleRow], ends: float) -> None:
    """Have Postgres go on to the next file of its log until it has no room for one, which it does not survive."""
    with suppress(psycopg.OperationalError):
        while time.monotonic() < ends:
            straight.execute("SELECT pg_create_restore_point('faults'), pg_switch_wal()")
