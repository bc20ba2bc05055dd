"""Send a mapped file through the gateway, wait until it is committed, and count what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from cli.arrivals import Arrivals, missing_from
from cli.dead_letters import DeadLetters
from cli.file_events import FileEvent, Rejects, file_event
from cli.outcome import Outcome, outcome
from cli.sending import BATCH, STALLED_AFTER_S, batches, committed_among, send
from client import RetailBrain
from pipeline.identity.ids import Id
from pipeline.mapping import Mapping_, rows
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.roles import Role, as_role


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a file's rows.

    `accepted` rows became events; of them `repeated` have the id of an earlier row, and `known_before` were
    committed by an earlier run. `refused` were refused by the gateway, `bad_lines` are no records and were not
    sent. `dead_lettered` and `outcome` are known where the commits were awaited.
    """

    accepted: int
    repeated: int
    known_before: int
    refused: int
    bad_lines: int
    dead_lettered: int
    rejects: str | None
    seconds: float
    events_per_s: float
    outcome: Outcome | None


class Ingestion:
    """One file on its way. With a store the commits are awaited."""

    def __init__(self, file: Path, mapping: Mapping_, rejects: Path, display: Progress) -> None:
        self._file = file
        self._mapping = mapping
        self._rejects = Rejects(rejects)
        self._display = display
        self._ids: dict[Id, None] = {}
        self._asked: set[Id] = set()
        self._accepted = self._refused = self._known = 0

    def run(self, client: RetailBrain, settings: Settings | None) -> Ingested:
        """Send everything. Raises RequestRefused, GatewayUnavailable, PipelineStalled."""
        started = time.monotonic()
        found: Outcome | None = None
        dead = 0
        if settings is None:
            self._send(client, None)
        else:
            letters = DeadLetters(settings)
            with Database(as_role(settings, Role.ANALYST), "ingest") as database:
                self._send(client, database)
                self._await_commit(database, letters)
                found = outcome(database, list(self._ids))
            dead = letters.new()
        seconds = time.monotonic() - started
        return Ingested(
            accepted=self._accepted,
            repeated=self._accepted - len(self._ids),
            known_before=self._known,
            refused=self._refused,
            bad_lines=self._rejects.count - self._refused,
            dead_lettered=dead,
            rejects=str(self._rejects.path) if self._rejects.count else None,
            seconds=round(seconds, 3),
            events_per_s=round(self._accepted / seconds, 1),
            outcome=found,
        )

    def _send(self, client: RetailBrain, database: Database | None) -> None:
        task = self._display.add_task("accepted", total=None)
        with self._rejects:
            for batch, told in send(client, self._events(database), lambda item: item.event):
                for item, result in zip(batch, told.results, strict=True):
                    if result.error is not None:
                        self._rejects.add(item.line, item.record_id, result.error.code, result.error.message)
                    else:
                        self._ids[item.event_id] = None
                self._accepted += told.accepted
                self._refused += told.refused
                self._display.update(task, completed=self._accepted)
        self._display.update(task, total=self._accepted)

    def _events(self, database: Database | None) -> Iterator[FileEvent]:
        """The rows' events; with a store, those committed before are counted on the way."""
        taken = rows(
            self._file, self._mapping, lambda bad: self._rejects.add(bad.line, None, bad.reason, bad.detail)
        )
        for batch in batches((file_event(row, self._mapping.region) for row in taken), BATCH):
            if database is not None:
                fresh = {item.event_id for item in batch} - self._asked
                self._asked |= fresh
                self._known += committed_among(database, list(fresh))
            yield from batch

    def _await_commit(self, database: Database, letters: DeadLetters) -> None:
        arrivals = Arrivals(missing_from(database))
        arrivals.expect(list(self._ids))
        task = self._display.add_task("committed", total=arrivals.expected)
        arrivals.wait(STALLED_AFTER_S, lambda count: self._display.update(task, completed=count), letters.new)
