"""`python -m bench.http`: the gateway by itself, over HTTP. bench/README.md says what is measured and how.

Needs `wrk`, a Debian package, and `oha` (`cargo install oha`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.house import House, running
from bench.load import TopicSender, prepare
from bench.workload import Event, Workload
from cli.arrivals import Arrivals, missing_from
from client import RetailBrain, ask
from infra.supervisor import PROCESSES, Supervisor
from pipeline.errors import ConfigurationError, RetailBrainError
from pipeline.store.database import Database
from schemas.codec import load_codec

_TOOLS = {"wrk": "install the Debian package of that name", "oha": "cargo install oha"}
_BATCH = 1_000
_CUSTOMERS = 5_000
_SETTLE_S = 5.0
_SENDING_BATCHES = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """One way of asking: how many answers a second, the 99th percentile of their latency, and how many were no success.

    `events_per_s` where a request carries events.
    """

    what: str
    requests_per_s: float
    p99_ms: float
    failed: int
    events_per_s: float | None = None


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options; `--help` lists them."""
    parser = argparse.ArgumentParser(prog="python -m bench.http", description=__doc__)
    parser.add_argument("--seconds", type=int, default=15, help="length of each measurement")
    parser.add_argument("--rate", type=int, default=500, help="reads a second at the fixed rate")
    parser.add_argument("--connections", type=int, default=16, help="open connections, but for batches: 4")
    parser.add_argument("--seed", type=int, default=1, help="seed of the workload")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args(given)


class Asking:
    """The two tools against one gateway."""

    def __init__(self, house: House, folder: Path, options: argparse.Namespace) -> None:
        self._house, self._folder, self._options = house, folder, options
        self._key = f"Authorization: Bearer {house.api_key}"

    def at_rate(self, what: str, paths: Sequence[str]) -> Measured:
        """Gets of these paths in random order, evenly spaced at `--rate` a second; latency counts from when each was
        due, so that one that waits for those before it is not taken for a fast one."""
        o = self._options
        urls = self._folder / "urls"
        urls.write_text("\n".join(self._house.url + path for path in paths))
        paced = ("-z", f"{o.seconds}s", "-q", str(o.rate), "-c", str(o.connections), "--latency-correction")
        told = _run(
            "oha",
            *paced,
            "--no-tui",
            "--output-format",
            "json",
            "-H",
            self._key,
            "--urls-from-file",
            str(urls),
        )
        found = json.loads(told)
        statuses: dict[str, int] = found["statusCodeDistribution"]
        failed = sum(statuses.values()) - statuses.get("200", 0)
        rate, p99_s = found["summary"]["requestsPerSec"], found["latencyPercentiles"]["p99"]
        return Measured(what, rate, 1_000 * p99_s, failed)

    def flat_out(self, what: str, requests: Sequence[str], connections: int, events: int = 0) -> Measured:
        """As many as these connections get through, of these requests in turn; `events` each carries."""
        file = self._folder / "requests"
        file.write_text("\n".join(requests))
        with resources.as_file(resources.files("bench").joinpath("wrk.lua")) as script:
            how = ("-t1", f"-c{connections}", f"-d{self._options.seconds}s", "-s", str(script))
            told = _run("wrk", *how, "-H", self._key, self._house.url, "--", str(file))
        (result,) = [line for line in told.splitlines() if line.startswith("RESULT ")]
        count, micros, failed, p99 = map(int, result.split()[1:])
        rate = count * 1e6 / micros
        return Measured(what, rate, p99 / 1_000, failed, rate * events if events else None)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours


def measure(house: House, folder: Path, options: argparse.Namespace) -> list[Measured]:
    """Reads of a house at rest, and then writes while nothing but the gateway works."""
    workload = Workload(options.seed)
    stored = list(workload.warm_up(_CUSTOMERS))
    _store(house, stored)
    profiles = _profiles(house)
    asking = Asking(house, folder, options)
    found = [
        asking.at_rate(f"profiles at {options.rate}/s", [f"/v1/profiles/{p}" for p in profiles]),
        asking.flat_out("profiles", [f"GET /v1/profiles/{p} -" for p in profiles], options.connections),
    ]
    Supervisor(house.settings.home).stop(*(name for name in PROCESSES if name != "gateway"))
    new = list(workload.measured(4 * _BATCH))
    singles = [_post(folder, f"one-{n}", event, "") for n, event in enumerate(new[:200])]
    found.append(asking.flat_out("single events", singles, options.connections, 1))
    batches = [
        _post(folder, f"batch-{n}", {"events": [_unnamed(e) for e in new[n * _BATCH :][:_BATCH]]}, ":batch")
        for n in range(4)
    ]
    found.append(asking.flat_out(f"batches of {_BATCH:,}", batches, _SENDING_BATCHES, _BATCH))
    return found


def _unnamed(event: Event) -> Event:
    """An event whose id the gateway gives: sent again it is another one."""
    return {name: value for name, value in event.items() if name != "event_id"}


def _post(folder: Path, name: str, body: Event, to: str) -> str:
    file = folder / name
    file.write_text(json.dumps(body if "events" in body else _unnamed(body)))
    return f"POST /v1/events{to} {file}"


def _store(house: House, events: Sequence[Event]) -> None:
    """Have these events stored, and everything at rest."""
    sender = TopicSender(house.settings, load_codec(house.settings))
    with Database(house.settings.postgres_dsn.get_secret_value(), "bench") as database:
        arrivals = Arrivals(missing_from(database))
        for load in prepare(events, _BATCH, sender):
            sender.send(load)
            arrivals.expect(load.ids)
        arrivals.wait(60, lambda _: None)
    time.sleep(_SETTLE_S)  # until the consumers have followed


def _profiles(house: House) -> list[str]:
    with RetailBrain(house.url, house.api_key) as brain:
        hits = brain.ask(ask.search(where={"source": "web"}, limit=100)).data
    return [str(hit.profile.profile_id) for hit in hits]


def show(console: Console, found: Sequence[Measured]) -> None:
    """The result for people."""
    table = Table(title="The gateway over HTTP")
    for heading in ("what", "requests/s", "events/s", "p99 ms", "failed"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for m in found:
        events = "" if m.events_per_s is None else f"{m.events_per_s:,.0f}"
        table.add_row(m.what, f"{m.requests_per_s:,.0f}", events, f"{m.p99_ms:,.1f}", str(m.failed))
    console.print(table)


def main(given: Sequence[str]) -> int:
    """Run it; the exit status is 1 where a request failed."""
    options = arguments(given)
    console = Console(stderr=True)
    try:
        for tool, mend in _TOOLS.items():
            if shutil.which(tool) is None:
                raise ConfigurationError(f"{tool} is not installed: {mend}")
        with (
            tempfile.TemporaryDirectory(prefix="rb-http-") as folder,
            running(1, lambda step: console.print(f"[dim]{step}")) as house,
        ):
            found = measure(house, Path(folder), options)
    except RetailBrainError as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red", markup=False)
        return 1
    show(console, found)
    if options.json:
        options.json.write_text(json.dumps([asdict(m) for m in found], indent=1))
    return 1 if any(m.failed for m in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
