"""The supervisor keeps what is wanted running, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from infra import supervisor
from infra.priority import give_way
from infra.supervisor import NICENESS, Supervisor, run_command

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
PROGRAMS = {
    "normalize": SLEEPER,
    "resolve": SLEEPER,
    "cache": SLEEPER,
    "gateway": STUBBORN,
    "relay": "raise SystemExit(3)",
}


def program(name: str) -> Sequence[str]:
    """Stands in for `python -m cli run NAME`."""
    return (sys.executable, "-c", PROGRAMS[supervisor.kind(name)])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Supervisor]:
    one = Supervisor(tmp_path, {"RB_MARK": "here"}, program)
    yield one
    one.stop()


@pytest.fixture
def watched(house: Supervisor) -> Iterator[Supervisor]:
    stopped = threading.Event()
    thread = threading.Thread(target=house.watch, args=(stopped,))
    thread.start()
    yield house
    stopped.set()
    thread.join()


def eventually(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pid(house: Supervisor, name: str) -> int | None:
    held = house.running().get(name)
    return held.pid if held else None


def test_starts_what_is_asked_for_and_only_once(house: Supervisor) -> None:
    house.start("resolve", "resolve#2", "cache")
    before = house.running()
    house.start("resolve", "cache")
    assert house.running() == before
    assert None not in before.values()
    assert len({held.pid for held in before.values() if held}) == 3


def test_processes_know_the_house(house: Supervisor) -> None:
    house.start("cache")
    cache = psutil.Process(pid(house, "cache"))
    eventually(lambda: "up" in house.log("cache").read_text())
    assert cache.environ()["RB_HOME"] == str(house.home)
    assert cache.environ()["RB_MARK"] == "here"


def test_processes_give_way_to_those_that_resolve() -> None:
    for name in ("resolve#2", "normalize", "cache"):
        *_, kind, niceness = run_command(name)
        assert niceness == f"--niceness={NICENESS.get(kind, 0)}"
    assert NICENESS["cache"] > NICENESS["normalize"] > NICENESS.get("resolve", 0)


@pytest.mark.parametrize("leads", [True, False])
def test_a_process_gives_way_and_so_does_the_session_it_leads(leads: bool) -> None:
    code = (
        "import os, pathlib; from infra.priority import give_way; give_way(3); "
        "own = pathlib.Path('/proc/self/autogroup'); "  # only where Linux groups sessions, and says so of this one
        "print(os.nice(0), *(own.read_text().split() if own.exists() else ())[-1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], start_new_session=leads, stdout=subprocess.PIPE, text=True, check=True
    )
    nice, *session = done.stdout.split()
    assert int(nice) == min(19, os.nice(0) + 3)
    if session and leads:
        assert session == ["3"]


def test_another_process_is_made_to_give_way() -> None:
    command = [sys.executable, "-c", SLEEPER]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL) as other:
        give_way(5, other.pid)
        assert os.getpriority(os.PRIO_PROCESS, other.pid) == min(19, os.nice(0) + 5)
        other.kill()
    give_way(5, other.pid)  # it has gone: nothing to be done


def test_another_object_sees_and_stops_them(house: Supervisor) -> None:
    house.start("resolve", "cache")
    processes = [held.process() for held in house.running().values() if held]
    Supervisor(house.home).stop("cache")
    assert list(house.running()) == ["resolve"]
    Supervisor(house.home).stop()
    assert house.running() == {}
    assert all(not one.is_running() or one.status() == psutil.STATUS_ZOMBIE for one in processes if one)


def test_what_does_not_stop_is_killed(house: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_S", 0.3)
    house.start("gateway")
    held = house.running()["gateway"]
    eventually(lambda: "up" in house.log("gateway").read_text())
    house.stop("gateway")
    assert held is not None
    assert held.process() is None


def test_a_killed_process_comes_back(watched: Supervisor) -> None:
    watched.start("resolve")
    before = pid(watched, "resolve")
    watched.kill("resolve")
    eventually(lambda: pid(watched, "resolve") not in (None, before))


def test_a_stopped_process_does_not_come_back(watched: Supervisor) -> None:
    watched.start("resolve")
    watched.stop("resolve")
    time.sleep(0.8)
    assert watched.running() == {}


def test_a_process_that_keeps_dying_is_started_ever_more_slowly(
    house: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    class Log:
        def warning(self, _: str, *, starts_again_in_s: float, **__: object) -> None:
            waits.append(starts_again_in_s)

    monkeypatch.setattr(supervisor, "get_logger", Log)
    monkeypatch.setattr(supervisor, "BACK_OFF_S", (0.01, 0.05))
    house.start("relay")
    stopped = threading.Event()
    thread = threading.Thread(target=house.watch, args=(stopped,))
    thread.start()
    eventually(lambda: len(waits) >= 4)
    stopped.set()
    thread.join()
    assert waits[:4] == [0.01, 0.02, 0.04, 0.05]


def test_a_log_that_grew_too_long_is_put_aside(watched: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOG_LIMIT_BYTES", 100)
    log = watched.log("x")
    log.parent.mkdir(exist_ok=True)
    log.write_text("y" * 101)
    eventually(lambda: log.stat().st_size == 0)
    assert log.with_suffix(".log.1").read_text() == "y" * 101
