"""The client for threads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

import httpx

from client.call import Attempts, Call
from client.feed import Change, Reading

T = TypeVar("T")
TIMEOUT_S = 60.0


class RetailBrain:
    """A pool of connections to one gateway; may be used by several threads."""

    def __init__(self, url: str, api_key: str, *, patience_s: float = 60.0) -> None:
        """`patience_s`: how long a call is tried while the gateway is away or says that it cannot."""
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=TIMEOUT_S, trust_env=False
        )
        self._patience_s = patience_s

    def ask(self, call: Call[T]) -> T:
        """What comes of a call. Raises RequestRefused, GatewayUnavailable."""
        attempts = Attempts(self._patience_s)
        while True:
            request = call.request(self._http)
            try:
                answer = self._http.send(request)
                wait_s = attempts.after(answer)
            except httpx.TransportError as exc:
                wait_s = attempts.without(exc)
            if wait_s is None:
                return call.read(answer.content)
            time.sleep(wait_s)

    def ask_all(self, calls: Iterable[Call[T]], in_flight: int = 4) -> Iterator[T]:
        """What comes of many calls, in their order; at most `in_flight` at once. Raises what `ask` raises."""
        waiting: deque[Future[T]] = deque()
        with ThreadPoolExecutor(in_flight, thread_name_prefix="ask") as pool:
            try:
                for call in calls:
                    if len(waiting) >= in_flight:
                        yield waiting.popleft().result()
                    waiting.append(pool.submit(self.ask, call))
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def changes(self, reading: Reading) -> Iterator[Change]:
        """Changes as they come, without end: cut off, it goes on where it was. What is read of the feed after the last
        change that was dealt with is read again by a `Reading` with the `place` of then.

        Raises RequestRefused (410: retention removed what is behind the place), GatewayUnavailable.
        """
        while True:
            try:
                with self._stream(reading) as answer:
                    if answer.is_error:
                        answer.read()
                    wait_s = reading.begin(answer)
                    if wait_s is None:
                        yield from filter(None, map(reading.line, answer.iter_lines()))
            except httpx.TransportError as exc:
                wait_s = reading.lost(exc)
            time.sleep(reading.pause_s if wait_s is None else wait_s)

    @contextmanager
    def _stream(self, reading: Reading) -> Iterator[httpx.Response]:
        answer = self._http.send(reading.request(self._http), stream=True)
        try:
            yield answer
        finally:
            answer.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> RetailBrain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()
