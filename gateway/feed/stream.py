"""One subscriber's stream: live from the ring, behind it by a reader of its own, whichever its place calls for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial

from gateway.feed import frames
from gateway.feed.live import Live
from gateway.feed.ring import Cursor
from pipeline import metrics
from pipeline.changes.change import Change
from pipeline.errors import PositionGone, RetryLater

_CHUNK = 100  # changes read at once: what a subscriber makes us hold beside the ring
_BLOCK_BYTES = 65_536
_CATCH_UP_WAIT_S = 0.25
_ASK_S = 1.0  # so that, with the age that keys are remembered for, who may read no more does not within 5 s

Allowed = Callable[[], Awaitable[bool]]
"""Whether a subscriber may read on. Raises RetryLater where that cannot be told now."""


class Subscription:
    """`frames` are the stream's. `close` it, whether or not it was read.

    The cursor was checked in `epoch` of the ring. `seconds` is how long the stream is to be; None: it has no end.
    `allowed` is asked again all along, for a key may end before its stream.
    """

    def __init__(
        self,
        live: Live,
        cursor: Cursor,
        epoch: int,
        beat_s: float,
        seconds: float | None,
        allowed: Allowed,
        left: Callable[[], None],
    ) -> None:
        self._live = live
        self._cursor = cursor
        self._epoch = epoch
        self._beat_s = beat_s
        self._now = asyncio.get_running_loop().time
        self._until = None if seconds is None else self._now() + seconds
        self._allowed = allowed
        self._asked = self._now()
        self._left: Callable[[], None] | None = left
        self.frames = self._frames()

    async def close(self) -> None:
        """Make room for another one."""
        await self.frames.aclose()
        if self._left is not None:
            self._left()
            self._left = None

    async def _frames(self) -> AsyncGenerator[bytes, None]:
        yield frames.opened(self._cursor.id)
        said = self._now()
        reason, message = "shutdown", "the gateway ends; connect again, the last id is where to go on"
        try:
            async with aclosing(self._blocks()) as blocks:
                async for block in blocks:
                    if not await self._may_go_on():
                        reason, message = "key_revoked", "the API key opens the change feed no more"
                        break
                    if block or self._now() - said >= self._beat_s:
                        yield block or frames.beat(self._cursor.id)
                        said = self._now()
                    if self._until is not None and self._now() >= self._until:
                        reason, message = "seconds", "as long as was asked for"
                        break
        except PositionGone as exc:
            reason, message = "position_gone", str(exc)
        except RetryLater as exc:
            reason, message = "unavailable", f"a server is away ({type(exc).__name__}); connect again"
        metrics.FEED_ENDED.labels(reason).inc()
        yield frames.ended(reason, message, self._cursor.id)

    async def _may_go_on(self) -> bool:
        if self._now() - self._asked < _ASK_S:
            return True
        self._asked = self._now()
        return await self._allowed()

    async def _blocks(self) -> AsyncGenerator[bytes, None]:
        """Frames, some at a time; an empty block where nothing came for a while."""
        ring = self._live.ring
        while not self._live.stopped:
            if self._epoch != ring.epoch:  # the ring began anew, and the log may be another one
                self._epoch = ring.epoch
                await self._live.in_log(self._cursor.position)
            way = self._of_ring if ring.covers(self._cursor.position) else self._of_log
            async with aclosing(way()) as blocks:
                async for block in blocks:
                    yield block

    async def _of_ring(self) -> AsyncGenerator[bytes, None]:
        """Until the cursor falls out of it."""
        ring = self._live.ring
        at = ring.first
        while not self._live.stopped and self._epoch == ring.epoch and at >= ring.first:
            chunk = ring.read(at, _CHUNK)
            at += len(chunk)
            for block in _framed(self._cursor, chunk):
                yield block
            if chunk:
                await asyncio.sleep(0)  # to others, for a reader may take whatever comes at once
            else:
                await self._live.changed(self._wait_s(min(self._beat_s, _ASK_S)))
            yield b""

    async def _of_log(self) -> AsyncGenerator[bytes, None]:
        """Until the ring covers what follows."""
        reader = await self._live.reader(self._cursor.position)
        try:
            while not self._live.stopped and not self._live.ring.covers(self._cursor.position):
                wait_s = self._wait_s(_CATCH_UP_WAIT_S)
                read = await self._live.in_thread(partial(reader.read, _CHUNK, wait_s))
                for block in _framed(self._cursor, read.changes):
                    yield block
                self._cursor.reach(read.ends)
                yield b""
        finally:
            await self._live.in_thread(reader.close)

    def _wait_s(self, most: float) -> float:
        return most if self._until is None else max(0.0, min(most, self._until - self._now()))


def _framed(cursor: Cursor, changes: Sequence[Change]) -> Iterator[bytes]:
    """The frames of what is new and wanted, as many at a time as make a block."""
    block = bytearray()
    for change in cursor.take(changes):
        block += frames.changed(change, cursor.id)
        metrics.FEED_CHANGES.labels(change.type).inc()
        if len(block) >= _BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
