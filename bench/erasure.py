"""`python -m bench.erasure`: how long a customer of many events takes to be forgotten. bench/README.md says more."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from rich.console import Console

from bench.house import House, running
from bench.load import TopicSender, prepare
from bench.workload import Event, Workload
from cli.arrivals import Arrivals, missing_from
from pipeline.configuration import load_model, load_policy
from pipeline.erasure.erase import erase_person
from pipeline.errors import RetailBrainError
from pipeline.identity.ids import Id
from pipeline.privacy.keyring import load_key_ring
from pipeline.steward import Stewardship
from pipeline.store.database import Database
from pipeline.unmerge.asked import Asked
from schemas.codec import load_codec

_BATCH = 1_000
_NOW = "2026-01-01T00:00:00Z"


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options; `--help` lists them."""
    parser = argparse.ArgumentParser(prog="python -m bench.erasure", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="events of the customer")
    parser.add_argument("--merges", type=int, default=5, help="merges that the customer came of")
    parser.add_argument("--others", type=int, default=10_000, help="events of other customers")
    parser.add_argument(
        "--rehearsals", type=int, default=5, help="dry runs before it, which do all of it and take it back"
    )
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args(given)


def _visit(number: int, emails: Sequence[str]) -> Event:
    return {
        "source": "web",
        "event_type": "visit",
        "event_id": str(UUID(int=number + 1)),
        "occurred_at": _NOW,
        "identifiers": {"email": list(emails)},
        "traits": {},
        "payload": {},
    }


def phases(options: argparse.Namespace) -> list[list[Event]]:
    """Events that are stored one list after the other: as many customers as are to be merged, what merges them, and the
    rest of what the one does."""
    mails = [f"kowalska.{n}@mailbox.example" for n in range(options.merges + 1)]
    apart = [_visit(n, [mail]) for n, mail in enumerate(mails)]
    together = [_visit(100 + n, [mails[0], mail]) for n, mail in enumerate(mails[1:])]
    rest = options.events - len(apart) - len(together)
    after = [_visit(1_000 + n, [mails[n % len(mails)]]) for n in range(rest)]
    return [list(Workload(1).warm_up(options.others)), apart, *([one] for one in together), after]


def measure(house: House, options: argparse.Namespace) -> dict[str, object]:
    """Seconds of each dry run and of the erasure, and what went."""
    settings = house.settings
    sender = TopicSender(settings, load_codec(settings))
    with Database(settings.postgres_dsn.get_secret_value(), "bench") as database:
        for events in phases(options):
            arrivals = Arrivals(missing_from(database))
            for load in prepare(events, _BATCH, sender):
                sender.send(load)
                arrivals.expect(load.ids)
            arrivals.wait(60, lambda _: None)
        by = Stewardship(
            database,
            load_key_ring(settings),
            load_codec(settings),
            load_model(settings),
            load_policy(settings),
        )
        with database.transaction() as tx:
            (profile,) = tx.row("bench_busiest") or (None,)
        assert isinstance(profile, Id)
        took, plan = [], ""
        for _ in range(options.rehearsals):
            asked = Asked("bench", "measured", datetime.now(UTC), rehearse=True)
            began = time.perf_counter()
            plan = erase_person(by, profile, asked).plan
            took.append(time.perf_counter() - began)
        began = time.perf_counter()
        done = erase_person(by, profile, Asked("bench", "measured", datetime.now(UTC), plan=plan))
        return {"dry_runs_s": took, "erasure_s": time.perf_counter() - began, "done": dict(done.done)}


def main(given: Sequence[str]) -> int:
    """Run it."""
    options, console = arguments(given), Console(stderr=True)
    try:
        with running(1, lambda step: console.print(f"[dim]{step}")) as house:
            found = measure(house, options)
    except RetailBrainError as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red", markup=False)
        return 1
    runs = found["dry_runs_s"]
    assert isinstance(runs, list)
    console.print(found["done"])
    console.print(f"dry runs {statistics.median(runs):.3f} s (median), erasure {found['erasure_s']:.3f} s")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
