"""A few rounds of the fault campaign; `make faults` runs as many as one likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson

from faults.plan import StrikeKind, round_of, workers_of

SEED, ROUNDS, EVENTS = 142_058, 2, 200


def test_every_promise_holds_whatever_is_struck(tmp_path: Path) -> None:
    strikes = [s for number in range(ROUNDS) for s in round_of(SEED, number, EVENTS).strikes]
    killed = {s.target for s in strikes if s.kind is StrikeKind.KILL}
    assert {"kafka", "postgres", "resolve", "normalize"} <= killed
    assert {s.kind for s in strikes} == set(StrikeKind) - {StrikeKind.CUT, StrikeKind.PAUSE}
    assert workers_of(SEED, 0) > 1
    journal = tmp_path / "journal.jsonl"
    # a process of its own: its house must not be told of by the environment of the tests
    options = {"seed": SEED, "rounds": ROUNDS, "events": EVENTS, "journal": journal}
    given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-m", "faults", *given], capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    rounds = [orjson.loads(line) for line in journal.read_bytes().splitlines()]
    assert [one["findings"] for one in rounds] == [[]] * ROUNDS
    # it takes root to fill a disk of its own
    assert [m for one in rounds for m in one["missed"] if "no file system of its own" not in m] == []
    assert all(one["acknowledged"] >= one["events"] for one in rounds)
    assert sum(one["acts"] + one["refused"] for one in rounds) > 0
