"""`python -m bench.rotation`: what rotating the keys and forgetting people cost while events flow, and that nothing is
lost by it. bench/README.md says more."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.house import House, running
from bench.load import GatewaySender, prepare
from bench.measure import Bench, Phase, Pressure
from bench.workload import Workload
from client import RetailBrain, ask
from pipeline.configuration import load_model, load_policy
from pipeline.erasure.erase import forget_now
from pipeline.errors import RetailBrainError
from pipeline.identity.ids import Id
from pipeline.privacy.keyring import load_key_ring
from pipeline.steward import Stewardship
from pipeline.store.database import Database
from pipeline.store.roles import Role, as_role
from pipeline.unmerge.asked import Asked
from schemas.codec import load_codec

_BATCH, _RATE_BATCH = 500, 50


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options; `--help` lists them."""
    parser = argparse.ArgumentParser(prog="python -m bench.rotation", description=__doc__)
    parser.add_argument("--warm-up", type=int, default=20_000, help="customers known beforehand")
    parser.add_argument("--events", type=int, default=30_000, help="events of each flat-out phase")
    parser.add_argument("--rate", type=int, default=2_000, help="rows a second that a rotation may take")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the phase at half the rate")
    parser.add_argument("--forgotten", type=int, default=20, help="customers forgotten in it")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args(given)


@dataclass(slots=True)
class Command:
    """A command of ours beside the load; `seconds` once it ended."""

    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None


@contextmanager
def beside(house: House, *command: str) -> Iterator[Command]:
    """Runs while the block does, and is waited for behind it. Raises CalledProcessError where it fails."""
    environment = {**os.environ, "RB_HOME": str(house.settings.home)}
    call = [sys.executable, "-m", "cli", *command]
    with subprocess.Popen(call, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - ours
        running = Command(process)
        yield running
        status = process.wait()
    running.seconds = time.monotonic() - running.began
    if status:
        raise subprocess.CalledProcessError(status, call)


def rotating(rate: int) -> tuple[str, ...]:
    """The command that rotates the keys."""
    return ("keys", "rotate", "--json", "--rate", str(rate), "--actor", "bench")


class Forgetting:
    """Forgets customers one after the other on a thread, spread over so many seconds."""

    def __init__(self, house: House, profiles: Sequence[Id], seconds: float) -> None:
        self._house, self._profiles, self._pause = house, profiles, seconds / max(1, len(profiles))
        self.took: list[float] = []
        self.refused: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="forgetting")

    def __enter__(self) -> Forgetting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _run(self) -> None:
        s = self._house.settings
        with Database(as_role(s, Role.ERASER), "bench") as database:
            by = Stewardship(database, load_key_ring(s), load_codec(s), load_model(s), load_policy(s))
            for profile in self._profiles:
                began = time.monotonic()
                try:
                    forget_now(by, profile, Asked("bench", "measured", datetime.now(UTC)))
                except RetailBrainError as exc:
                    # gone with another, or not as it was rehearsed a moment ago: counted, and told
                    self.refused[type(exc).__name__] += 1
                else:
                    self.took.append(time.monotonic() - began)
                time.sleep(max(0.0, self._pause - (time.monotonic() - began)))


def _profiles(house: House, count: int) -> list[Id]:
    with RetailBrain(house.url, house.api_key) as brain:
        found = brain.ask(ask.search(where={"source": "web"}, limit=100)).data
    return [Id(hit.profile.profile_id.bytes) for hit in found[:count]]


def measure(house: House, options: argparse.Namespace) -> dict[str, object]:
    """Flat out without and with a rotation, then at half that rate with another one, people being forgotten. Each phase
    ends when every event sent is stored, and raises PipelineStalled where one is not."""
    sender = GatewaySender(RetailBrain(house.url, house.api_key))
    bench, workload = Bench(house, sender, Pressure()), Workload(1)

    def flat_out() -> Phase:
        return bench.flat_out(prepare(workload.measured(options.events), _BATCH, sender), lambda _: None)

    bench.flat_out(prepare(workload.warm_up(options.warm_up), _BATCH, sender), lambda _: None)
    before = flat_out()
    with beside(house, *rotating(options.rate)) as first:
        during = flat_out()
        lasted = first.is_running()
    rate = before.events_per_s / 2
    loads = prepare(workload.measured(int(rate * options.seconds)), _RATE_BATCH, sender)
    with (
        beside(house, *rotating(options.rate)) as second,
        Forgetting(house, _profiles(house, options.forgotten), options.seconds) as forgetting,
    ):
        half = bench.at_rate(loads, rate, lambda _: None)
    with beside(house, "verify"):
        pass
    return {
        "events_per_s": before.events_per_s,
        "events_per_s_rotating": during.events_per_s,
        "ratio": during.events_per_s / before.events_per_s,
        "rotation_outlasted_the_phase": lasted,
        "rotations_s": [first.seconds, second.seconds],
        "half_rate": rate,
        "half_rate_events": half.events,
        "half_rate_p99_ms": half.p99_ms,
        "forgotten": len(forgetting.took),
        "not_forgotten": forgetting.refused,
        "forgotten_s": statistics.median(forgetting.took) if forgetting.took else None,
    }


def main(given: Sequence[str]) -> int:
    """Run it; the exit status is 1 where an event was lost, or `verify` finds a fault afterwards."""
    options, console = arguments(given), Console(stderr=True)
    try:
        with running(1, lambda step: console.print(f"[dim]{step}")) as house:
            found = measure(house, options)
    except (RetailBrainError, subprocess.CalledProcessError) as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red", markup=False)
        return 1
    text = json.dumps(found, indent=1)
    Console().print_json(text)
    if options.json:
        options.json.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
