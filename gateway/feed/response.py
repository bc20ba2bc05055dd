"""A stream as an answer: it ends with its source, with its reader, and with a reader that does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.feed.stream import Subscription
from pipeline import metrics
from pipeline.log import get_logger

ABORT = "retail-brain.abort"
"""The extension of an ASGI scope that ends its connection, and does not wait for what the peer leaves unread."""


class EventStream(Response):
    """Server-sent events. A reader that takes nothing of what is sent for `patience_s` is disconnected."""

    media_type = "text/event-stream"

    def __init__(self, subscription: Subscription, patience_s: float) -> None:
        # X-Accel-Buffering: nginx passes each event on as it comes
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._subscription = subscription
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until either side ends."""
        sending, leaving = asyncio.create_task(self._send(send)), asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            sent, _ = await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._subscription.close()
        if isinstance(sent, TimeoutError):
            metrics.FEED_ENDED.labels("not_reading").inc()
            get_logger().warning("a subscriber of the change feed does not read: disconnected")
            _abort(scope)
        elif isinstance(sent, Exception):
            raise sent

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for frame in self._subscription.frames:
            async with asyncio.timeout(self._patience_s):
                await send({"type": "http.response.body", "body": frame, "more_body": True})
        async with asyncio.timeout(self._patience_s):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _abort(scope: Scope) -> None:
    found: Mapping[str, Callable[[], None]] = scope.get("extensions", {}).get(ABORT, {})
    if "abort" in found:
        found["abort"]()
