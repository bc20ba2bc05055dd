"""The speed benchmark: what it counts, and that it writes what it found. It asserts no time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.matching.speed import SpeedBench, main
from tests.support.people import model, policy


def test_loads_then_measures_new_and_known_records() -> None:
    bench = SpeedBench(model(), policy(), seed=7, batch=16)
    loaded, new, known = bench.load(40), bench.new(24), bench.known(24)
    assert (loaded.records, new.records, known.records) == (40, 24, 24)
    # half of the new ones are of a known customer, and known ones are not compared at all
    assert new.comparisons > 0
    assert known.comparisons == known.overfull == 0


def test_normalizing_takes_its_time_as_well() -> None:
    new = SpeedBench(model(), policy(), seed=7, batch=16).load(32)
    assert 0 < new.whole_per_s < new.resolved_per_s


def test_writes_its_result_and_a_profile(tmp_path: Path) -> None:
    out, profile = tmp_path / "speed.json", tmp_path / "speed.prof"
    given = ["--stored", "30", "--records", "20", "--json", str(out), "--profile", str(profile)]
    assert main(given) == 0
    assert {name: one["records"] for name, one in json.loads(out.read_text("utf-8")).items()} == {
        "stored beforehand": 30,
        "new": 20,
        "known": 20,
    }
    assert profile.stat().st_size > 0


def test_refuses_to_measure_nothing() -> None:
    with pytest.raises(SystemExit):
        main(["--records", "0"])
