"""What every request gets, whatever comes of it: ids, the headers of its answer, its metric; and an answer to what
nobody foresaw."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.envelope import unforeseen
from pipeline import metrics

_TRACE_ID = re.compile(rb"[A-Za-z0-9._:/=-]{1,128}")
Pairs = list[tuple[bytes, bytes]]
ALWAYS: Pairs = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
UNLESS_SAID: Pairs = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
"""A route may say otherwise, as the documentation's pages do."""


@dataclass(frozen=True, slots=True)
class _Trace:
    request_id: bytes
    correlation_id: bytes


def _trace(headers: Pairs) -> _Trace:
    given = dict(headers)
    request_id = given.get(b"x-request-id", b"")
    if not _TRACE_ID.fullmatch(request_id):
        request_id = uuid4().hex.encode()
    correlation_id = given.get(b"x-correlation-id", b"")
    return _Trace(request_id, correlation_id if _TRACE_ID.fullmatch(correlation_id) else request_id)


class Edge:
    """The outermost ASGI middleware. Puts `request_id` and `correlation_id` into the request's state, and sends what is
    there under `answer_headers`."""

    def __init__(self, app: ASGIApp, hsts_max_age_s: int) -> None:
        self._app = app
        hsts = f"max-age={hsts_max_age_s}".encode()
        self._always = [*ALWAYS, (b"strict-transport-security", hsts)] if hsts_max_age_s else ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        trace = _trace(scope["headers"])
        state = scope.setdefault("state", {})
        state["request_id"] = trace.request_id.decode()
        state["correlation_id"] = trace.correlation_id.decode()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._headers(message["headers"], trace, state.get("answer_headers", {}))
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as exc:
            answer = unforeseen(exc, state["request_id"])
            if status:  # too late for another answer: the connection ends
                raise
            await answer(scope, receive, send_on)
        finally:
            route = getattr(scope.get("route"), "path_format", "other")
            took = time.perf_counter() - started
            metrics.HTTP_SECONDS.labels(scope["method"], route, f"{(status or 500) // 100}xx").observe(took)

    def _headers(self, given: Pairs, trace: _Trace, more: Mapping[str, str]) -> Pairs:
        said = {name for name, _ in given}
        return [
            *given,
            (b"x-request-id", trace.request_id),
            (b"x-correlation-id", trace.correlation_id),
            *self._always,
            *(pair for pair in UNLESS_SAID if pair[0] not in said),
            *((name.lower().encode(), value.encode()) for name, value in more.items()),
        ]
