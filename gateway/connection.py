"""A connection to the gateway: the head of a request (URL and header fields) comes in time and within its limit, or the
connection ends. uvicorn itself keeps a head of any size and waits for ever; what is refused here reaches no middleware.
"""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.edge import ALWAYS, UNLESS_SAID
from gateway.envelope import error_response
from gateway.feed.response import ABORT
from pipeline.codes import ErrorCode
from pipeline.ids import new_id


@dataclass(frozen=True, slots=True)
class HeadBounds:
    """How large and how slow the head of a request may be."""

    most_bytes: int
    most_s: float


class _HeadTooLarge(Exception):
    """Stops the parser."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol within bounds."""

    bounds: ClassVar[HeadBounds]
    _in_head = False
    _begun = _fed = _parsed = 0
    _timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        if self._timer is None and not self._answering():
            self._expect_head()
        awaited, begun = self._timer is not None, self._begun + (not self._in_head)
        super().data_received(data)
        # where all of it is of one head that has not ended, the parser holds it, told or not
        if self._in_head and awaited and self._begun == begun:
            self._fed += len(data)
            if self._fed > self.bounds.most_bytes and not self.transport.is_closing():
                self._refuse_size()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}
        self._in_head, self._fed, self._parsed = True, 0, 0
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        """Some of the URL came."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field came."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or was stopped."""
        if self._parsed > self.bounds.most_bytes:
            self._refuse_size()
        else:
            self._refuse(400, ErrorCode.VALIDATION_ERROR, "no valid HTTP request; send HTTP/1.1")

    def _count(self, count: int) -> None:
        self._parsed += count
        if self._parsed > self.bounds.most_bytes:
            raise _HeadTooLarge

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _may_answer(self) -> bool:
        """Whether what is written now answers what is refused: nothing sent before it waits for its answer or is within
        it."""
        in_body = self.cycle is not None and self.cycle.more_body and not self.cycle.response_started
        return not self._answering() or (in_body and not self.pipeline)

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self.bounds.most_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._answering():
            self._expect_head()
        elif self._in_head:
            message = f"the head of the request did not come within {self.bounds.most_s:g} s; send it again"
            self._refuse(408, ErrorCode.REQUEST_TIMEOUT, message)
        else:
            self.transport.close()

    def _refuse_size(self) -> None:
        message = f"URL and header fields are over {self.bounds.most_bytes} bytes; send less of them"
        self._refuse(431, ErrorCode.HEADERS_TOO_LARGE, message)

    def _refuse(self, status: int, code: ErrorCode, message: str) -> None:
        """Answer in the envelope, and end the connection; only that where the answer would be taken for another one."""
        if not self._may_answer():
            self.transport.close()
            return
        request_id = str(new_id())
        answer = error_response(status, code, message, request_id, headers={"Connection": "close"})
        fields = [*answer.raw_headers, (b"x-request-id", request_id.encode()), *ALWAYS, *UNLESS_SAID]
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
        self.transport.write(
            head + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n" + bytes(answer.body)
        )
        self.transport.close()


def within(bounds: HeadBounds) -> type[Connection]:
    """Connections within these bounds."""
    return type("Connection", (Connection,), {"bounds": bounds})
