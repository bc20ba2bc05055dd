"""Who reads the feed: subscribers are admitted up to a number, each from its place; while there are any, it reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Literal

from gateway.feed.live import Live
from gateway.feed.ring import Cursor
from gateway.feed.stream import Allowed, Subscription
from gateway.feed.tail import Tail
from pipeline import metrics
from pipeline.changes.change import Change
from pipeline.changes.position import Position
from pipeline.changes.wanted import Wanted
from pipeline.errors import BrokerUnavailable, FeedFull
from pipeline.settings import Settings
from schemas.codec import Codec

_START_S = 10.0
_LINGER_S = 60.0

Start = Literal["earliest", "latest"] | Position


class Feed:
    """The feed of one gateway. Its event loop's alone."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings = settings
        self._codec = codec
        self._live = Live(settings, codec)
        self._subscribers = 0
        self._tail: Tail | None = None
        self._reads = False  # the tail has begun
        self._resting: list[Tail] = []

    async def subscribe(
        self, start: Start, wanted: Wanted, allowed: Allowed, seconds: float | None = None
    ) -> Subscription:
        """A new subscriber, for so long, and while it is allowed. Raises FeedFull, PositionGone, BrokerUnavailable."""
        if self._subscribers >= self._settings.feed_max_subscribers or self._live.stopped:
            raise FeedFull("as many read the change feed of this gateway as may; try again later")
        self._came(1)
        try:
            await self._begun()
            epoch = self._live.ring.epoch
            cursor = Cursor(await self._position(start, wanted), wanted)
        except BaseException:
            self._came(-1)
            raise
        beat_s = self._settings.feed_heartbeat_ms / 1_000
        return Subscription(self._live, cursor, epoch, beat_s, seconds, allowed, partial(self._came, -1))

    def _came(self, count: int) -> None:
        self._subscribers += count
        metrics.FEED_SUBSCRIBERS.set(self._subscribers)
        if not self._subscribers and not self._live.stopped:
            asyncio.get_running_loop().call_later(_LINGER_S, self._rest)

    async def _position(self, start: Start, wanted: Wanted) -> Position:
        ring = self._live.ring
        if start == "latest":
            return {place: at for place, at in ring.next.items() if place[0] in wanted.topics}
        if start == "earliest":
            return await self._live.beginning(wanted.topics)
        if ring.covers(start) and all(at <= ring.next[place] for place, at in start.items()):
            return start
        return await self._live.in_log(start)

    # ── the tail ──────────────────────────────────────────────────────────────────────────────────────────

    async def _begun(self) -> None:
        if self._tail is None:
            self._tail = Tail(self._settings, self._codec, self)
            self._tail.start(asyncio.get_running_loop())
        deadline = time.monotonic() + _START_S
        while not self._reads and not self._live.stopped and (left := deadline - time.monotonic()) > 0:
            await self._live.changed(left)
        if not self._reads:
            raise BrokerUnavailable("the topics' ends are not known yet")

    def restarted(self, tail: Tail, ends: Position) -> None:
        """See `Taking`."""
        if tail is self._tail:
            self._live.ring.restart(ends)
            self._reads = True
            self._live.wake()

    def took(self, tail: Tail, changes: Sequence[Change]) -> None:
        """See `Taking`."""
        if tail is self._tail:
            self._live.ring.add(changes)
            self._live.wake()

    def _rest(self) -> None:
        """Nobody reads: neither do we."""
        if self._tail is not None and not self._subscribers:
            self._tail.stop()
            self._resting = [tail for tail in (*self._resting, self._tail) if tail.lives]
            self._tail, self._reads = None, False

    # ── the end ───────────────────────────────────────────────────────────────────────────────────────────

    def stop(self) -> None:
        """End all streams, each with its reason; nobody is admitted from now on."""
        self._live.stopped = True
        self._live.wake()

    async def close(self) -> None:
        """Let go of all Kafka clients."""
        self.stop()
        for tail in (*self._resting, *([self._tail] if self._tail else ())):
            tail.stop()
            await asyncio.to_thread(tail.join)
        await asyncio.to_thread(self._live.close)
