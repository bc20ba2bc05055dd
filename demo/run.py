"""The demo from its first event to its story; cli/demo.py starts the house and prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import redis

from bench.truth import b_cubed, pairwise
from cli.arrivals import Arrivals, Patience, missing_from
from cli.dead_letters import DeadLetters
from cli.outcome import Outcome, clusters, outcome, versions
from cli.sending import STALLED_AFTER_S, committed_among, send
from client import RetailBrain
from demo.story import Story, choose, recall, undo
from demo.stream import event_ids, events, truth
from pipeline.errors import CacheUnavailable, PipelineStalled
from pipeline.identity.ids import Id
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.roles import Role, as_role

Progress = Callable[[str, int, int], None]
"""Called with (step, done, total)."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Against the truth, over records; `records` is how many of its records were found."""

    records: int
    pairwise_precision: float
    pairwise_recall: float
    pairwise_f1: float
    b_cubed_f1: float


@dataclass(frozen=True, slots=True)
class Told:
    """All that the demo has to tell.

    `new` events were not stored by an earlier run; `seconds` are from the first event sent to the last one
    committed.
    """

    events: int
    new: int
    refused: int
    dead_lettered: int
    seconds: float
    outcome: Outcome
    accuracy: Accuracy
    story: Story | None


class Demo:
    """Runs the demo stream through a house that is up."""

    def __init__(self, settings: Settings, client: RetailBrain, progress: Progress) -> None:
        self._settings = settings
        self._client = client
        self._progress = progress
        self._ids = event_ids()
        self._database = Database(as_role(settings, Role.ANALYST), "demo")

    def run(self, *, with_story: bool = True) -> Told:
        """Send, wait, measure, tell; the story undoes one merge.

        Run again, or after it was stopped, it goes on from what stands.
        Raises GatewayUnavailable, PipelineStalled, StoreUnavailable, ConfigurationError.
        """
        letters = DeadLetters(self._settings)
        known = committed_among(self._database, self._ids)
        started = time.monotonic()
        refused = self._send()
        self._await_commit(letters)
        seconds = time.monotonic() - started
        self._settle()
        found = outcome(self._database, self._ids)
        accuracy = self._accuracy()  # before the story undoes a merge
        return Told(
            events=len(self._ids),
            new=len(self._ids) - known,
            refused=refused,
            dead_lettered=letters.new(),
            seconds=seconds,
            outcome=found,
            accuracy=accuracy,
            story=self._story() if with_story else None,
        )

    def _send(self) -> int:
        sent = refused = 0
        for batch, told in send(self._client, events(), lambda event: event):
            sent += len(batch)
            refused += told.refused
            self._progress("accepted", sent, len(self._ids))
        return refused

    def _await_commit(self, letters: DeadLetters) -> None:
        arrivals = Arrivals(missing_from(self._database))
        arrivals.expect(self._ids)
        arrivals.wait(
            STALLED_AFTER_S,
            lambda count: self._progress("committed", count, len(self._ids)),
            letters.new,
        )

    def _settle(self) -> None:
        """Until the outbox is published and the cache shows every profile as it stands."""
        with redis.Redis.from_url(self._settings.redis_url, decode_responses=True) as cache:
            patience = Patience(STALLED_AFTER_S)
            while waiting := self._outbox() + self._behind(cache):
                if patience.ends(waiting):
                    raise PipelineStalled(
                        f"{waiting} profiles or outbox rows have not reached the cache, and none did in "
                        f"{STALLED_AFTER_S:.0f} s; `retail-brain status` shows whether relay and cache run"
                    )
                time.sleep(0.1)

    def _outbox(self) -> int:
        with self._database.transaction() as tx:
            row = tx.row("outbox_depth")
        return int(row[0]) if row else 0

    def _behind(self, cache: redis.Redis) -> int:
        standing: Mapping[Id, int] = versions(self._database, self._ids)
        pipeline = cache.pipeline(transaction=False)
        for profile in standing:
            pipeline.hget(f"rb:profile:{profile}", "version")
        try:
            cached = pipeline.execute()
        except redis.RedisError as exc:
            raise CacheUnavailable(type(exc).__name__) from exc
        behind = sum(int(c or 0) < v for c, v in zip(cached, standing.values(), strict=True))
        self._progress("cached", len(standing) - behind, len(standing))
        return behind

    def _accuracy(self) -> Accuracy:
        found = clusters(self._database, self._ids)
        real = {record: person for record, person in truth().items() if record in found}
        pairs, cubed = pairwise(found, real), b_cubed(found, real)
        return Accuracy(len(found), pairs.precision, pairs.recall, pairs.f1, cubed.f1)

    def _story(self) -> Story | None:
        chosen = choose(self._database, list(versions(self._database, self._ids)))
        if chosen is None:
            return None
        merge_log_id, told_before = chosen
        if not told_before:
            undo(self._client, merge_log_id)
            self._settle()
        return recall(self._database, self._client, merge_log_id)
