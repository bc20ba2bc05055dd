"""Bodies that come compressed, made plain as they are read: what counts against any limit is what they inflate to."""

from __future__ import annotations

import zlib

from starlette.types import Message, Receive

from gateway.body import BodyRefused, BodyTooLarge

_STEP_BYTES = (
    65_536  # inflated at a time, so that a small body which inflates to much is refused before it does
)
_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say: with gzip's header and checksum


class BodyNotPlain(BodyRefused):
    """A body says that it is encoded in a way that is not read."""

    def __init__(self) -> None:
        super().__init__(415, "Content-Encoding: it is not one that is read; send gzip, or nothing encoded")


class BodyBroken(BodyRefused):
    """A body says that it is gzip, and is not, or ends too early."""

    def __init__(self) -> None:
        super().__init__(400, "body: broken gzip; send a whole gzip stream, or no Content-Encoding")


def plain(receive: Receive, encoding: bytes, most_bytes: int) -> Receive:
    """What `receive` brings, without its Content-Encoding, of which no more than `most_bytes` are read as they come.
    Raises BodyNotPlain; what it returns, BodyBroken and BodyTooLarge."""
    match encoding.strip().lower():
        case b"" | b"identity":
            return receive
        case b"gzip" | b"x-gzip":
            return _Inflated(receive, most_bytes)
        case _:
            raise BodyNotPlain


class _Inflated:
    """A gzip stream (RFC 1952) as parts of its content; several members in a row are one."""

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._read = 0
        self._told = False  # that this was all
        self._member = zlib.decompressobj(_GZIP)
        self._rest = b""
        self._more = True
        self._full = False  # the last step brought as much as it may: zlib may hold the rest of it

    async def __call__(self) -> Message:
        while not self._told:
            if self._rest or self._full or not self._more:
                content = self._inflate()
                at_end = not (self._rest or self._full or self._more)
                if content or at_end:
                    self._told = at_end
                    return {"type": "http.request", "body": content, "more_body": not at_end}
            else:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._rest, self._more = message.get("body", b""), message.get("more_body", False)
                self._read += len(self._rest)
                if (
                    self._read > self._most_bytes
                ):  # a stream of empty members inflates to nothing, and costs time
                    raise BodyTooLarge(self._most_bytes)
        return await self._receive()  # that the client is gone, once it is

    def _inflate(self) -> bytes:
        try:
            content = self._member.decompress(self._rest, _STEP_BYTES)
        except zlib.error:
            raise BodyBroken from None
        self._rest, self._full = self._member.unconsumed_tail, len(content) == _STEP_BYTES
        if self._member.eof and self._member.unused_data:
            self._rest = self._member.unused_data
            self._member = zlib.decompressobj(_GZIP)
        elif not (self._rest or self._full or self._more or self._member.eof):
            raise BodyBroken
        return content
