"""Processes told from what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.embedded.processes import end, record, spawn

# the first thread ends as it does in a killed server with many threads: before the others, who hold the port still
FIRST_THREAD_ENDS = """
import ctypes, socket, threading, time
held = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=time.sleep, args=(60,)).start()
print(held.getsockname()[1], flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="how Linux shows a process whose first thread has ended")
def test_a_process_has_not_gone_while_a_thread_of_it_holds_its_port() -> None:
    popen = subprocess.Popen([sys.executable, "-c", FIRST_THREAD_ENDS], stdout=subprocess.PIPE)
    try:
        assert popen.stdout is not None
        assert int(popen.stdout.readline()) > 0
        recorded = record(popen.pid)
        deadline = time.monotonic() + 10
        while psutil.Process(popen.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert recorded.process() is not None
        end(recorded, signal.SIGKILL)
        assert recorded.process() is None
    finally:
        popen.kill()
        popen.communicate()
    assert record(os.getpid()).process() is not None


def test_a_killed_child_keeps_no_pid_though_its_starter_lives_on(tmp_path: Path) -> None:
    """Postgres does not start over a lock file whose pid is there, be it a zombie's."""
    recorded, _ = spawn(
        ("sleep", "60"), folder=tmp_path, log=tmp_path / "log", environment={"PATH": os.defpath}
    )
    os.kill(recorded.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(recorded.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
