"""Delivering to one webhook: a reader, its lanes, and what is to be replayed beside them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from consumers.webhooks.books import Books
from consumers.webhooks.lane import Lane, Tried
from consumers.webhooks.threads import Threads
from pipeline import metrics
from pipeline.changes.change import Place
from pipeline.changes.reader import Reader, bounds, checked
from pipeline.changes.wanted import Wanted
from pipeline.errors import BadInput, PositionGone
from pipeline.identity.ids import Id
from pipeline.privacy.keyring import KeyRing
from pipeline.settings import Settings
from pipeline.store.database import Transaction
from pipeline.store.webhooks import Replay, places, stage_of
from pipeline.webhooks.keyed import Keyed, keyed
from pipeline.webhooks.schedule import Schedule
from pipeline.webhooks.sending import Outcome, Sender
from pipeline.webhooks.signing import signed
from pipeline.webhooks.targets import target_of
from schemas.codec import Codec

_READ = 50  # messages a read: what may come on top of what lanes hold
_READ_S = 0.5
_REPLAY_LOOK_S = 2.0
_REPLAYS = 20
_LEAVE_S = 5.0

_Stored = tuple[Keyed, dict[Place, int], dict[tuple[Place, int], Tried]]


class Delivering:
    """`run` delivers to one webhook as it is now."""

    def __init__(
        self, webhook_id: Id, settings: Settings, ring: KeyRing, codec: Codec, threads: Threads
    ) -> None:
        self._webhook_id = webhook_id
        self._settings = settings
        self._ring = ring
        self._codec = codec
        self._threads = threads
        self._schedule = Schedule(settings)

    async def run(self) -> None:
        """Until it is cancelled; attempts under way are given some seconds then. Raises NotFound, Disabled, RetryLater,
        alone or in a group."""
        self._keyed, stored, tried = await self._threads.transaction(self._stored)
        self._books = Books(self._webhook_id, self._settings, self._threads, stored)
        wanted = Wanted(self._keyed.types)
        try:
            held = await self._threads.read(lambda: bounds(self._settings, wanted.topics, "webhook-bounds"))
            position = checked(stored, held)
            self._sender = self._opened()
        except PositionGone as exc:
            await self._books.disable(f"{exc}, and enable it")
        except BadInput as exc:  # allowed when it was added, and no longer
            await self._books.disable(str(exc))
        count = min(self._settings.webhook_in_flight, _partitions(position))
        lanes = [Lane(wanted, self._books, self._schedule, self._post, tried) for _ in range(count)]
        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes:
                    group.create_task(lane.run())
                group.create_task(self._read(position, lanes))
                group.create_task(self._replays())
        finally:
            await _seen_to_their_end(lanes)
            await self._sender.close()

    def _stored(self, tx: Transaction) -> _Stored:
        found = keyed(tx, self._ring, self._webhook_id)
        topics = Wanted(found.types).topics
        prefix = self._settings.topic_prefix
        stage = stage_of(self._webhook_id)
        tx.run("bury_overtaken", {"webhook": self._webhook_id, "stage": stage, "prefix": prefix})
        position = places(tx, self._webhook_id, prefix)
        failing = {
            ((topic, n), offset): Tried(attempts, next_at)
            for topic, n, offset, attempts, next_at in tx.rows(
                "failing_deliveries", {"webhook": self._webhook_id}
            )
        }
        return found, {place: at for place, at in position.items() if place[0] in topics}, failing

    def _opened(self) -> Sender:
        private = self._settings.webhook_allow_private
        return Sender(
            target_of(self._keyed.url, allow_private=private),
            self._threads.names,
            timeout_s=self._settings.webhook_timeout_ms / 1_000,
            allow_private=private,
            connections=self._settings.webhook_in_flight + 1,
        )

    async def _post(self, message_id: str, body: bytes) -> Outcome:
        now = time.time()
        keys = self._keyed.keys(datetime.fromtimestamp(now, UTC))
        started = time.perf_counter()
        outcome = await self._sender.post(body, signed(message_id, int(now), body, keys))
        metrics.WEBHOOK_SECONDS.observe(time.perf_counter() - started)
        return outcome

    async def _read(self, position: dict[Place, int], lanes: Sequence[Lane]) -> None:
        made = partial(Reader, self._settings, self._codec, position, "webhooks")
        reader = await self._threads.reader(made)
        paused: set[int] = set()
        places_of = {
            number: [place for place in position if place[1] % len(lanes) == number]
            for number in range(len(lanes))
        }
        try:
            while True:
                read = await self._threads.read(partial(reader.read, _READ, _READ_S))
                for change in read.changes:
                    lanes[change.place[1] % len(lanes)].put(change)
                for number, lane in enumerate(lanes):
                    if lane.full and number not in paused:
                        reader.pause(places_of[number])
                        paused.add(number)
                    elif number in paused and lane.has_room:
                        reader.resume(places_of[number])
                        paused.discard(number)
        except PositionGone as exc:
            await self._books.disable(f"{exc}, and enable it")
        finally:
            await self._threads.read(reader.close)

    async def _replays(self) -> None:
        while True:
            parameters = {"webhook": self._webhook_id, "at": datetime.now(UTC), "limit": _REPLAYS}
            rows = await self._threads.transaction(lambda tx, p=parameters: tx.rows("due_replays", p))  # type: ignore[misc]
            for row in rows:
                await self._replay(Replay(*row))
            if len(rows) < _REPLAYS:
                await asyncio.sleep(_REPLAY_LOOK_S)

    async def _replay(self, replay: Replay) -> None:
        outcome = await self._post(replay.change_id, replay.body)
        now, attempts = datetime.now(UTC), replay.attempts + 1
        verdict = self._schedule.judge(outcome, attempts, now)
        await self._books.replay(replay, outcome, verdict, attempts, now)


def _partitions(position: dict[Place, int]) -> int:
    """How many a topic has. A profile's messages stand in those of one number."""
    return max((n for _, n in position), default=0) + 1


async def _seen_to_their_end(lanes: Sequence[Lane]) -> None:
    """What a receiver may have taken already is written down, so that it is not sent again."""
    attempts = [lane.attempt for lane in lanes if lane.attempt is not None and not lane.attempt.done()]
    if attempts:
        _, late = await asyncio.wait(attempts, timeout=_LEAVE_S)
        for attempt in late:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
