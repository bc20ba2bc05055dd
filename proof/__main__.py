"""`make privacy-proof`: no marked value in any place but events.raw; and what is planted is found in each of them."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from redis import Redis
from rich.console import Console
from rich.table import Table

from bench.house import running
from infra.supervisor import Supervisor
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.stream.kafka import producer, producer_config
from proof.marks import MARKS, Needle, encodings, needles
from proof.places import RAW, Read, checkpoint, of_metrics, of_redis, of_tables, of_topics
from proof.run import use
from proof.scan import Finding, Scanner


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options; `--help` lists them."""
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("--events", type=int, default=40, help="marked events sent each way")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Run it; the exit status is 1 where a marked value was found, or a planted one was not."""
    options, console = arguments(given), Console(stderr=True)
    sought = needles()
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rb-proof-")))
        stack.enter_context(_temporary(root / "tmp"))
        house = stack.enter_context(running(1, lambda step: console.print(f"[dim]{step}")))
        letters = use(house, options.events)
        metrics = list(of_metrics(house.url))
        Supervisor(house.settings.home).stop()  # so that what they write at their end is there as well
        console.print("[dim]looking through everything")
        scanner = Scanner(sought)
        found = list(_everywhere(scanner, house.settings, metrics, root))
        console.print("[dim]planting, and looking again")
        missed = _not_found(sought, house.settings, root)
    _show(console, found, missed, scanner, options.events, letters)
    return 1 if found or missed else 0


def _temporary(folder: Path) -> ExitStack:
    """Have this process and those it starts keep temporary files there."""
    folder.mkdir()
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"], tempfile.tempdir = str(folder), None
    undo = ExitStack()

    def back() -> None:
        if before is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = before
        tempfile.tempdir = None

    undo.callback(back)
    return undo


def _everywhere(
    scanner: Scanner, settings: Settings, metrics: Read | list[tuple[str, bytes]], root: Path
) -> Iterator[Finding]:
    for where, data in metrics:
        yield from scanner.value(where, data)
    for read in (of_topics, of_tables, of_redis):
        for where, data in read(settings):
            yield from scanner.value(where, data)
    checkpoint(settings)
    yield from scanner.tree(root, leave=_holds_raw(settings))


def _holds_raw(settings: Settings) -> Callable[[Path], bool]:
    """The folders of the one topic that may hold plaintext."""
    name = re.compile(re.escape(settings.topic(RAW)) + r"-\d+")
    return lambda folder: name.fullmatch(folder.name) is not None


PLANTED = "privacy_proof_planted"


def _not_found(sought: Iterable[Needle], settings: Settings, root: Path) -> list[Finding]:
    """What was planted and is not found: each mark in each encoding in a file, and one mark in each server."""
    missed = []
    for needle in sought:
        file = root / "tmp" / "planted"
        file.write_bytes(os.urandom(1_000) + needle.data + os.urandom(1_000))
        if not any(
            f.where.endswith("planted") for f in Scanner([needle]).tree(root / "tmp", leave=lambda p: True)
        ):
            missed.append(Finding("a file", needle.field, needle.encoding))
        file.unlink()
    secret = MARKS[0].sent
    with (
        Database(settings.postgres_dsn.get_secret_value(), "privacy-proof") as database,
        database.transaction() as tx,
    ):
        tx.connection.execute(f"CREATE TABLE {PLANTED} (note text, raw bytea)")
        tx.connection.execute(
            f"INSERT INTO {PLANTED} VALUES (repeat('x', 9000) || %s, %s)", (secret, secret.encode())
        )
    with Redis.from_url(settings.redis_url) as redis:
        redis.hset(PLANTED, "note", secret)
    sender = producer(producer_config(settings))
    sender.produce(settings.topic("profiles.updates"), b"x" * 9_000 + secret.encode(), key=PLANTED)
    sender.flush(10)
    scanner = Scanner(sought)
    found = {f.where for f in _everywhere(scanner, settings, [], root)}
    expected = {
        "the table": f"table public.{PLANTED}",
        "Redis": f"redis {PLANTED[:24]}",
        "the topic": f"topic {settings.topic('profiles.updates')}",
    }
    missed += [
        Finding(what, MARKS[0].field, "UTF-8") for what, where in expected.items() if where not in found
    ]
    for what, part in (
        ("Postgres' files", "postgres"),
        ("Redis' dump", "valkey"),
        ("the broker's log", "kafka"),
    ):
        if not any(part in where and not where.startswith(("table", "redis", "topic")) for where in found):
            missed.append(Finding(what, MARKS[0].field, "UTF-8"))
    return missed


def _show(
    console: Console,
    found: Sequence[Finding],
    missed: Sequence[Finding],
    scanner: Scanner,
    events: int,
    letters: int,
) -> None:
    s = scanner.scanned
    forms = len(encodings("x" * 9)) + 1
    console.print(
        f"{2 * events + 1} marked events and {letters} malformed ones, with {len(MARKS)} marked values."
    )
    console.print(
        f"Each, in up to {forms} encodings, was looked for in {s.files:,} files ({s.bytes / 2**20:,.0f} MiB)"
    )
    console.print(f"and in {s.values:,} rows, messages, keys and pages.")
    for title, rows in (
        ("Marked values where none may be", found),
        ("Planted values that were not found", missed),
    ):
        if rows:
            table = Table("where", "field", "encoding", "times", title=title)
            for finding, times in sorted(Counter(rows).items(), key=lambda row: (row[0].where, row[0].field)):
                table.add_row(finding.where, finding.field, finding.encoding, str(times))
            console.print(table)
    if not found and not missed:
        console.print("No marked value was found but in events.raw, and every planted one was.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
