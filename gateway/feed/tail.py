"""Reads the ends of the topics on a thread of its own, for all subscribers of this gateway."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from typing import Protocol

from pipeline.changes.change import Change
from pipeline.changes.kinds import TOPICS
from pipeline.changes.position import Position
from pipeline.changes.reader import Reader, bounds
from pipeline.errors import PositionGone, RetryLater
from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.stream.backoff import Backoff
from schemas.codec import Codec

_MOST = 200  # messages a hand-over: bounds how long the event loop does nothing else
_WAIT_S = 0.25


class Taking(Protocol):
    """What a tail tells, in the event loop; it reads on once that returned."""

    def restarted(self, tail: Tail, ends: Position) -> None:
        """It reads from these ends now."""

    def took(self, tail: Tail, changes: Sequence[Change]) -> None:
        """What came, in the order of each partition."""


class Tail:
    """Reads from `start` to `stop`, whatever fails meanwhile: then from new ends."""

    def __init__(self, settings: Settings, codec: Codec, taking: Taking) -> None:
        self._settings = settings
        self._codec = codec
        self._taking = taking
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, args=(loop,), name="feed-tail", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more; `join` waits for it."""
        self._stop.set()

    def join(self) -> None:
        """Returns once its client has ended; the event loop has to run until then."""
        if self._thread is not None:
            self._thread.join()

    @property
    def lives(self) -> bool:
        """Whether its client may still be there."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        backoff = Backoff(self._settings)
        while not self._stop.is_set():
            try:
                self._read(loop, backoff)
            except (RetryLater, PositionGone) as exc:
                get_logger().warning("the change feed reads anew", error=str(exc))
            except Exception as exc:  # nobody else would start it again, and subscribers would wait for ever
                get_logger().error("the change feed reads anew", exc_info=exc)
            if not self._stop.is_set():
                self._stop.wait(backoff.next())

    def _read(self, loop: asyncio.AbstractEventLoop, backoff: Backoff) -> None:
        ends = {place: held.high for place, held in bounds(self._settings, TOPICS, "feed-tail").items()}
        with closing(Reader(self._settings, self._codec, ends, "feed-tail")) as reader:
            _in_loop(loop, partial(self._taking.restarted, self, ends))
            while not self._stop.is_set():
                came = reader.read(_MOST, _WAIT_S).changes
                if came:
                    _in_loop(loop, partial(self._taking.took, self, came))
                    backoff.reset()


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    done: Future[None] = Future()

    def run() -> None:
        try:
            call()
            done.set_result(None)
        except Exception as exc:
            done.set_exception(exc)

    loop.call_soon_threadsafe(run)
    done.result()
