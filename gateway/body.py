"""A request's body as it is read: within the limit, in time, and beside others no more than there is room for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from gateway.under_way import UnderWay


class BodyRefused(HTTPException):
    """A body is not taken, and the connection ends with the answer.

    An HTTPException, as FastAPI takes any other error that reading a body raises for a body that cannot be parsed.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message, {"Connection": "close"})


class BodyTooLarge(BodyRefused):
    """A body is, or says that it is, over the limit."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"the body is over {most} bytes; send smaller batches")


class TooMuchUnderWay(BodyRefused):
    """There is no room for a body beside those of other requests."""

    def __init__(self) -> None:
        super().__init__(503, "too much is under way; send it again later")


class BodyTooSlow(BodyRefused):
    """A body was not there in time."""

    def __init__(self, most_s: float) -> None:
        super().__init__(408, f"the body did not come within {most_s:g} s; send it again, or smaller batches")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of bodies: how large and how slow one may be, and what all of them hold."""

    most_bytes: int
    most_s: float
    under_way: UnderWay


class Body:
    """What one request holds, from when it comes until it is answered.

    It holds what has come, and not what is announced: whoever announces much and sends nothing keeps nobody out.
    """

    def __init__(self, receive: Receive, bounds: Bounds) -> None:
        self._receive = receive
        self._bounds = bounds
        self._deadline = asyncio.get_running_loop().time() + bounds.most_s
        self._read = self._held = 0
        self._complete = False

    def begin(self, length: int, least: int) -> None:
        """Hold `least` bytes for a body that is said to be of this length. Raises TooMuchUnderWay if that, or the
        body, would not fit now."""
        if not self._bounds.under_way.fits(max(length, least)):
            raise TooMuchUnderWay
        self._hold(least)

    def let_go(self) -> None:
        """The request is answered."""
        self._bounds.under_way.give(self._held)

    async def receive(self) -> Message:
        """The next part. Raises BodyTooLarge, BodyTooSlow, TooMuchUnderWay."""
        message = await (self._receive() if self._complete else self._in_time())
        self._complete = not message.get("more_body", False)
        self._read += len(message.get("body", b""))
        if self._read > self._bounds.most_bytes:
            raise BodyTooLarge(self._bounds.most_bytes)
        if self._read > self._held:
            self._hold(self._read)
        return message

    async def _in_time(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as exc:
            raise BodyTooSlow(self._bounds.most_s) from exc

    def _hold(self, count: int) -> None:
        if not self._bounds.under_way.take(count - self._held, self._held):
            raise TooMuchUnderWay
        self._held = count
