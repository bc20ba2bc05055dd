"""The database's API keys as the gateway remembers them: all of them, read again while requests come.

While Postgres answers, no request is judged by keys read more than FRESH_S before: one revoked is refused by then, and
one created, and the new secret of one rotated, works within NEWS_S. While it is away, known keys open as they were
read last, for `patience_s`; an unknown one is answered 503, as it may have been created since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from gateway.auth import Fits
from pipeline.api_keys.stored import StoredKey
from pipeline.errors import RetryLater, StoreUnavailable
from pipeline.log import get_logger

FRESH_S = 5.0
_AGEING_S = 2.0
"""From then on a request has keys read again, and does not wait for it."""
NEWS_S = 0.5
"""So often an unknown key may have keys read again: a flood of them costs no more."""
_AGAIN_S = 1.0
_WAIT_S = 1.0

Read = Callable[[], Awaitable[Sequence[StoredKey]]]


class StoredKeys:
    """`read` answers the keys that are in force. Used by one event loop."""

    def __init__(self, read: Read, patience_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._patience_s = patience_s
        self._now = now
        self._keys: Mapping[str, StoredKey] = {}
        self._read_at = self._failed_at = float("-inf")
        self._failed = False
        self._reading: asyncio.Task[None] | None = None

    async def find(self, key_id: str, fits: Fits) -> StoredKey | None:
        """As FindKey says."""
        age, found = self._age(), self._fitting(key_id, fits)
        if age <= (_AGEING_S if found else NEWS_S):
            return found
        reading = self._begun()
        if found and (age <= FRESH_S or (self._failed and self._patient())):
            return found
        if reading is not None:
            await asyncio.wait({reading}, timeout=_WAIT_S)
        found = self._fitting(key_id, fits)
        if self._age() <= FRESH_S and not self._failed:
            return found
        if found is None or not self._patient():
            raise StoreUnavailable("API keys cannot be read")
        return found

    def _fitting(self, key_id: str, fits: Fits) -> StoredKey | None:
        found = self._keys.get(key_id)
        return found if found is not None and fits(found) else None

    def _age(self) -> float:
        return self._now() - self._read_at

    def _patient(self) -> bool:
        return self._age() <= max(self._patience_s, FRESH_S)

    def _begun(self) -> asyncio.Task[None] | None:
        """The reading under way, begun unless one failed a moment ago."""
        if self._reading is None and self._now() - self._failed_at > _AGAIN_S:
            self._reading = asyncio.create_task(self._renew())
            self._reading.add_done_callback(self._done)
        return self._reading

    async def _renew(self) -> None:
        begun = self._now()
        self._keys = {key.key_id: key for key in await self._read()}
        self._read_at = begun

    def _done(self, reading: asyncio.Task[None]) -> None:
        self._reading = None
        error = None if reading.cancelled() else reading.exception()
        if error is None:
            self._failed = False
            return
        self._failed_at = self._now()
        if isinstance(error, RetryLater):
            if not self._failed:
                get_logger().warning(
                    "API keys cannot be read: those known open on", cause=type(error).__name__
                )
        else:
            get_logger().error("API keys cannot be read: those known open on", exc_info=error)
        self._failed = True
