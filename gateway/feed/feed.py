"""Who reads the feed: admitted up to a number, live from the ring, behind it by a reader of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, suppress
from functools import partial
from typing import Literal, TypeVar

from gateway.feed import frames
from gateway.feed.ring import Cursor, Ring
from gateway.feed.tail import Tail
from pipeline import metrics
from pipeline.changes.change import Change, Place
from pipeline.changes.kinds import Wanted
from pipeline.changes.position import Position
from pipeline.changes.reader import Reader, bounds, checked
from pipeline.errors import BrokerUnavailable, FeedFull, PositionGone, RetryLater
from pipeline.settings import Settings
from schemas.codec import Codec

_START_S = 10.0
_CHUNK = 100  # changes read at once: what a subscriber makes us hold beside the ring
_BLOCK_BYTES = 65_536
_CATCH_UP_WAIT_S = 0.25
_LINGER_S = 60.0

Start = Literal["earliest", "latest"] | Position
Answer = TypeVar("Answer")


class Subscription:
    """One subscriber's stream. `close` it, whether or not it was read."""

    def __init__(self, stream: AsyncGenerator[bytes, None], left: Callable[[], None]) -> None:
        self.frames = stream
        self._left: Callable[[], None] | None = left

    async def close(self) -> None:
        """Make room for another one."""
        await self.frames.aclose()
        if self._left is not None:
            self._left()
            self._left = None


class Feed:
    """The feed of one gateway. Its event loop's alone; what blocks is on threads."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings = settings
        self._codec = codec
        self._ring = Ring(settings.feed_ring_bytes)
        self._beat_s = settings.feed_heartbeat_ms / 1_000
        self._subscribers = 0
        self._more = asyncio.Event()
        self._stopped = False
        self._tail: Tail | None = None
        self._reads = False  # the tail has begun
        self._resting: list[Tail] = []
        self._threads = ThreadPoolExecutor(settings.feed_max_subscribers + 1, thread_name_prefix="feed")

    async def subscribe(self, start: Start, wanted: Wanted, seconds: float | None = None) -> Subscription:
        """A new subscriber, for so long. Raises FeedFull, PositionGone, BrokerUnavailable."""
        if self._subscribers >= self._settings.feed_max_subscribers or self._stopped:
            raise FeedFull("as many read the change feed of this gateway as may; try again later")
        self._came(1)
        try:
            await self._begun()
            cursor = Cursor(await self._position(start, wanted), wanted)
        except BaseException:
            self._came(-1)
            raise
        until = None if seconds is None else asyncio.get_running_loop().time() + seconds
        return Subscription(self._stream(cursor, until), partial(self._came, -1))

    def _came(self, count: int) -> None:
        self._subscribers += count
        metrics.FEED_SUBSCRIBERS.set(self._subscribers)
        if not self._subscribers and not self._stopped:
            asyncio.get_running_loop().call_later(_LINGER_S, self._rest)

    # ── the tail ──────────────────────────────────────────────────────────────────────────────────────────

    async def _begun(self) -> None:
        if self._tail is None:
            self._tail = Tail(self._settings, self._codec, self)
            self._tail.start(asyncio.get_running_loop())
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                while not self._reads and not self._stopped:
                    await self._more.wait()
        if not self._reads:
            raise BrokerUnavailable("the topics' ends are not known yet")

    def restarted(self, tail: Tail, ends: Position) -> None:
        """The tail reads from these ends."""
        if tail is self._tail:
            self._ring.restart(ends)
            self._reads = True
            self._wake()

    def took(self, tail: Tail, changes: Sequence[Change]) -> None:
        """The tail read these."""
        if tail is self._tail:
            self._ring.add(changes)
            self._wake()

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()

    def _rest(self) -> None:
        """Nobody reads: neither do we."""
        if self._tail is not None and not self._subscribers:
            self._tail.stop()
            self._resting = [tail for tail in (*self._resting, self._tail) if tail.lives]
            self._tail, self._reads = None, False

    def stop(self) -> None:
        """End all streams, each with its reason; nobody is admitted from now on."""
        self._stopped = True
        self._wake()

    async def close(self) -> None:
        """Let go of all Kafka clients."""
        self.stop()
        for tail in (*self._resting, *([self._tail] if self._tail else ())):
            tail.stop()
            await asyncio.to_thread(tail.join)
        await asyncio.to_thread(self._threads.shutdown)

    # ── from where ────────────────────────────────────────────────────────────────────────────────────────

    async def _position(self, start: Start, wanted: Wanted) -> Position:
        if start == "latest":
            return {place: at for place, at in self._ring.next.items() if place[0] in wanted.topics}
        if start == "earliest":
            held = await self._in_thread(lambda: bounds(self._settings, wanted.topics, "feed-bounds"))
            return {place: b.low for place, b in held.items()}
        if self._ring.covers(start) and all(at <= self._ring.next[place] for place, at in start.items()):
            return start
        return await self._in_log(start)

    async def _in_log(self, position: Position) -> dict[Place, int]:
        topics = {topic for topic, _ in position}
        held = await self._in_thread(lambda: bounds(self._settings, topics, "feed-bounds"))
        return checked(position, held)

    # ── streams ───────────────────────────────────────────────────────────────────────────────────────────

    async def _stream(self, cursor: Cursor, until: float | None) -> AsyncGenerator[bytes, None]:
        now = asyncio.get_running_loop().time
        yield frames.opened(cursor.id)
        said = now()
        reason, message = "shutdown", "the gateway ends; connect again, the last id is where to go on"
        try:
            async with aclosing(self._blocks(cursor, until)) as blocks:
                async for block in blocks:
                    if block or now() - said >= self._beat_s:
                        yield block or frames.beat(cursor.id)
                        said = now()
                    if until is not None and now() >= until:
                        reason, message = "seconds", "as long as was asked for"
                        break
        except PositionGone as exc:
            reason, message = "position_gone", str(exc)
        except RetryLater as exc:
            reason, message = "unavailable", f"a server is away ({type(exc).__name__}); connect again"
        metrics.FEED_ENDED.labels(reason).inc()
        yield frames.ended(reason, message, cursor.id)

    async def _blocks(self, cursor: Cursor, until: float | None) -> AsyncGenerator[bytes, None]:
        """Frames, some at a time; an empty block where nothing came for a while."""
        epoch = self._ring.epoch
        while not self._stopped:
            if epoch != self._ring.epoch:  # the ring begins anew, and the log may be another one
                epoch = self._ring.epoch
                await self._in_log(cursor.position)
            way = self._live if self._ring.covers(cursor.position) else self._behind
            async with aclosing(way(cursor, until)) as blocks:
                async for block in blocks:
                    yield block

    async def _live(self, cursor: Cursor, until: float | None) -> AsyncGenerator[bytes, None]:
        """From the ring, until the cursor falls out of it."""
        at, epoch = self._ring.first, self._ring.epoch
        while not self._stopped and epoch == self._ring.epoch:
            if at < self._ring.first:
                return
            more, chunk = self._more, self._ring.read(at, _CHUNK)
            at += len(chunk)
            for block in _blocks(cursor, chunk):
                yield block
            if chunk:
                await asyncio.sleep(0)  # to others, for a reader may take whatever comes at once
            else:
                await _set(more, self._wait_s(until))
            yield b""

    def _wait_s(self, until: float | None) -> float:
        if until is None:
            return self._beat_s
        return max(0.0, min(self._beat_s, until - asyncio.get_running_loop().time()))

    async def _behind(self, cursor: Cursor, until: float | None) -> AsyncGenerator[bytes, None]:
        """From the log, until the ring covers what follows."""
        reader = await self._reader(cursor.position)
        try:
            while not self._stopped and not self._ring.covers(cursor.position):
                wait_s = min(_CATCH_UP_WAIT_S, self._wait_s(until))
                read = await self._in_thread(partial(reader.read, _CHUNK, wait_s))
                for block in _blocks(cursor, read.changes):
                    yield block
                cursor.reach(read.ends)
                yield b""
        finally:
            await self._in_thread(reader.close)

    async def _reader(self, position: Position) -> Reader:
        opening = self._threads.submit(Reader, self._settings, self._codec, dict(position), "feed-catch-up")
        try:
            return await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close)
            raise

    async def _in_thread(self, call: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _close(opened: Future[Reader]) -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()


async def _set(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _blocks(cursor: Cursor, changes: Sequence[Change]) -> Iterator[bytes]:
    """The frames of what is new and wanted, as many at a time as make a block."""
    block = bytearray()
    for change in cursor.take(changes):
        block += frames.changed(change, cursor.id)
        if len(block) >= _BLOCK_BYTES:
            yield bytes(block)
            block.clear()
        metrics.FEED_CHANGES.labels(change.type).inc()
    if block:
        yield bytes(block)
