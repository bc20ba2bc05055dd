"""A request's body as it is read: within the limit, and beside others no more than there is room for."""

from __future__ import annotations

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


class Body:
    """What one request holds, from when it comes until it is answered."""

    def __init__(self, receive: Receive, most: int, under_way: UnderWay) -> None:
        self._receive = receive
        self._most = most
        self._under_way = under_way
        self._read = self._held = 0

    def hold(self, count: int) -> None:
        """Hold so many bytes in all. Raises TooMuchUnderWay."""
        if not self._under_way.take(count - self._held, self._held):
            raise TooMuchUnderWay
        self._held = count

    def let_go(self) -> None:
        """The request is answered."""
        self._under_way.give(self._held)

    async def receive(self) -> Message:
        """The next part. Raises BodyTooLarge, TooMuchUnderWay."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self._most:
                raise BodyTooLarge(self._most)
            if self._read > self._held:  # its length was not told
                self.hold(self._read)
        return message
