"""A lane: messages to one webhook, one after the other, each until it is delivered or dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from consumers.webhooks.books import Books
from pipeline.changes.change import Change, Place
from pipeline.changes.wanted import Wanted
from pipeline.webhooks.schedule import Again, Schedule, Verdict
from pipeline.webhooks.sending import Outcome

_MOST = 100  # messages that wait; beyond it nothing is read for the lane
_MOST_BYTES = 1_048_576
_COMMIT_S = 5.0

Post = Callable[[str, bytes], Awaitable[Outcome]]
"""Sends a message under its id, once."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How often a message was tried, and from when on it is again."""

    attempts: int
    next_at: datetime


class Lane:
    """The messages of some partitions, all that tell of a profile among them, in their order.

    `tried` are those that were being tried when the process before this one ended.
    """

    def __init__(
        self,
        wanted: Wanted,
        books: Books,
        schedule: Schedule,
        post: Post,
        tried: Mapping[tuple[Place, int], Tried],
    ) -> None:
        self._wanted = wanted
        self._books = books
        self._schedule = schedule
        self._post = post
        self._tried = tried
        self._waiting: asyncio.Queue[Change] = asyncio.Queue()
        self._held = 0
        self._passed: dict[Place, int] = {}
        self.attempt: asyncio.Task[Verdict] | None = None
        """The attempt under way: it is seen to its end where the lane is cancelled."""

    def put(self, change: Change) -> None:
        """The next message of one of its partitions."""
        self._held += len(change.body)
        self._waiting.put_nowait(change)

    @property
    def full(self) -> bool:
        """Whether nothing more should be read for it now."""
        return self._waiting.qsize() >= _MOST or self._held >= _MOST_BYTES

    @property
    def has_room(self) -> bool:
        """Whether it may be read for again."""
        return self._waiting.qsize() <= _MOST // 2 and self._held <= _MOST_BYTES // 2

    async def run(self) -> None:
        """For ever. Raises PositionFenced where another process delivers, or it was placed elsewhere; Disabled."""
        committed = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(_COMMIT_S):
                    change = await self._waiting.get()
            except TimeoutError:
                await self._commit()
                continue
            self._held -= len(change.body)
            if self._wanted(change):
                await self._deliver(change)
            else:
                self._passed[change.place] = change.offset + 1
            if time.monotonic() - committed >= _COMMIT_S:
                await self._commit()
                committed = time.monotonic()

    async def _commit(self) -> None:
        if self._passed:
            passed, self._passed = self._passed, {}
            await self._books.advance(passed)

    async def _deliver(self, change: Change) -> None:
        before = self._tried.get((change.place, change.offset))
        attempts = before.attempts if before else 0
        verdict: Verdict | None = Again(before.next_at) if before else None
        while verdict is None or isinstance(verdict, Again):
            if verdict is not None:
                await asyncio.sleep(max(0.0, (verdict.at - datetime.now(UTC)).total_seconds()))
            attempts += 1
            self.attempt = asyncio.create_task(self._try(change, attempts))
            verdict = await asyncio.shield(self.attempt)

    async def _try(self, change: Change, attempts: int) -> Verdict:
        outcome = await self._post(change.id, change.body)
        now = datetime.now(UTC)
        verdict = self._schedule.judge(outcome, attempts, now)
        passed, self._passed = self._passed, {}
        await self._books.delivery(change, outcome, verdict, attempts, now, passed)
        return verdict
