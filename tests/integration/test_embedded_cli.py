"""`retail-brain up`, `status`, `doctor` and `down`, as a user runs them."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from infra.python import environment, module
from infra.supervisor import PROCESSES, Supervisor

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder for this module's house; everything in it is stopped afterwards."""
    with tempfile.TemporaryDirectory(prefix="rb-cli-") as folder:
        yield Path(folder) / "home"
        run(Path(folder) / "home", "down")


@pytest.fixture(scope="module")
def taken() -> Iterator[list[int]]:
    """The well-known ports, taken by somebody else, as far as they are not already."""
    held = []
    for port in (5432, 6379, 8080, 9092):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            listener.bind(("127.0.0.1", port))
            listener.listen()
            held.append(listener)
    yield [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, in an environment that names no server."""
    clean = {
        name: value for name, value in environment(RB_HOME=str(home)).items() if not name.startswith("RB_")
    }
    return subprocess.run(
        module("cli", *arguments),
        env={**clean, "RB_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def status(home: Path) -> dict[str, dict[str, object]]:
    """Servers and processes by name."""
    found = json.loads(run(home, "status", "--json").stdout)
    return {one["name"]: one for one in (*found["servers"], *found["processes"])}


class TestHouse:
    """In order: each test goes on where the one before left the house."""

    def test_the_doctor_names_the_mend_before_anything_runs(self, home: Path) -> None:
        done = run(home, "doctor", "--json")
        findings = {finding["what"]: finding for finding in json.loads(done.stdout)}
        assert done.returncode == 1
        assert not findings["kafka process"]["ok"]
        assert "retail-brain up" in findings["kafka process"]["mend"]

    def test_up_with_the_ports_taken(self, home: Path, taken: list[int]) -> None:
        done = run(home, "up", "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["healthy"]
        assert {one["name"] for one in found["processes"]} == {"supervisor", *PROCESSES}
        assert not any(f":{port}" in str(one["address"]) for one in found["servers"] for port in taken)

    def test_the_doctor_is_content(self, home: Path) -> None:
        done = run(home, "doctor")
        assert done.returncode == 0, done.stdout

    def test_up_twice_changes_nothing(self, home: Path) -> None:
        before = {name: one["pid"] for name, one in status(home).items()}
        assert run(home, "up").returncode == 0
        assert {name: one["pid"] for name, one in status(home).items()} == before

    def test_what_is_killed_comes_back_by_itself(self, home: Path) -> None:
        before = status(home)
        for name in ("gateway", "resolve", "valkey"):
            pid = before[name]["pid"]
            assert isinstance(pid, int)
            psutil.Process(pid).kill()

        def back(name: str) -> bool:
            return status(home)[name]["pid"] not in (None, before[name]["pid"])

        until(lambda: all(back(name) for name in ("gateway", "resolve", "valkey")))
        until(lambda: answers(f"{before['gateway']['address']}/readyz"))

    def test_a_killed_supervisor_is_replaced_and_the_rest_left_alone(self, home: Path) -> None:
        before = {name: one["pid"] for name, one in status(home).items()}
        assert isinstance(before["supervisor"], int)
        psutil.Process(before["supervisor"]).kill()
        assert run(home, "up").returncode == 0
        after = {name: one["pid"] for name, one in status(home).items()}
        assert after.pop("supervisor") not in (None, before.pop("supervisor"))
        assert after == before

    def test_a_second_worker(self, home: Path) -> None:
        Supervisor(home).start("resolve#2")
        assert status(home)["resolve#2"]["pid"] is not None

    def test_sigterm_ends_each_with_status_0_within_10_s(self, home: Path) -> None:
        """As the processes' parent we would see their status; here each is run in the foreground for a moment."""
        results: dict[str, tuple[int, float]] = {}

        def one(name: str) -> None:
            process = subprocess.Popen(
                module("cli", "run", name),
                env=environment(RB_HOME=str(home), RB_GATEWAY_PORT="0"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            until(lambda: catches_sigterm(process.pid))
            before = time.monotonic()
            process.terminate()
            results[name] = (process.wait(30), time.monotonic() - before)

        threads = [threading.Thread(target=one, args=(name,)) for name in PROCESSES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {name: code for name, (code, _) in results.items()} == dict.fromkeys(PROCESSES, 0)
        assert max(took for _, took in results.values()) < 10

    def test_down_leaves_nothing(self, home: Path) -> None:
        before = [one["pid"] for one in status(home).values()]
        began = time.monotonic()
        assert run(home, "down").returncode == 0
        assert time.monotonic() - began < 25
        left = [pid for pid in before if isinstance(pid, int) and psutil.pid_exists(pid)]
        assert [pid for pid in left if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE] == []
        assert run(home, "status").returncode == 1
        assert run(home, "down").returncode == 0


def until(holds: Callable[[], bool], within_s: float = 60) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether a GET is answered with a 2xx."""
    with suppress(OSError), urllib.request.urlopen(url, timeout=2):
        return True
    return False


def catches_sigterm(pid: int) -> bool:
    """Whether the process is far enough to have a handler."""
    mask = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return mask is not None and bool(int(mask[1], 16) >> (signal.SIGTERM - 1) & 1)
