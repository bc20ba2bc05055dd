"""What happens to a request before a route sees it: ids, key, rate limit, size; and its metric after it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.auth import ApiKeys
from gateway.body import Body, BodyRefused, BodyTooLarge, Bounds
from gateway.envelope import error_response, http_response
from gateway.inflate import plain
from gateway.limiter import Limiter
from gateway.rights import PROTECTED
from gateway.under_way import LEAST_BYTES
from pipeline import metrics
from pipeline.codes import ErrorCode

_TRACE_ID = re.compile(rb"[A-Za-z0-9._:/=-]{1,128}")


@dataclass(frozen=True, slots=True)
class _Trace:
    request_id: str
    correlation_id: str


def _trace(headers: dict[bytes, bytes]) -> _Trace:
    given = headers.get(b"x-request-id", b"")
    request_id = given.decode() if _TRACE_ID.fullmatch(given) else uuid4().hex
    given = headers.get(b"x-correlation-id", b"")
    return _Trace(request_id, given.decode() if _TRACE_ID.fullmatch(given) else request_id)


class Edge:
    """ASGI middleware. Puts `request_id`, `correlation_id` and `caller` into the request's state."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, limiter: Limiter, bounds: Bounds) -> None:
        self._app = app
        self._keys = keys
        self._limiter = limiter
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        trace = _trace(headers)
        state = scope.setdefault("state", {})
        state["request_id"], state["correlation_id"] = trace.request_id, trace.correlation_id
        status = 500

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["X-Request-ID"], out["X-Correlation-ID"] = trace.request_id, trace.correlation_id
                out["X-Content-Type-Options"] = "nosniff"
                out.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._handle(scope, receive, send_on, headers, trace)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            took = time.perf_counter() - started
            metrics.HTTP_SECONDS.labels(scope["method"], route, f"{status // 100}xx").observe(took)

    async def _handle(
        self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes], trace: _Trace
    ) -> None:
        refusal = await self._refusal(scope, headers, trace)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        try:
            body = Body(plain(receive, headers.get(b"content-encoding", b"")), self._bounds)
        except BodyRefused as exc:
            await http_response(exc, trace.request_id)(scope, receive, send)
            return
        try:
            least = LEAST_BYTES if scope["path"].startswith(PROTECTED) else 0
            body.begin(int(headers.get(b"content-length", b"0")), least)
            await self._app(scope, body.receive, send)
        except BodyRefused as exc:
            await http_response(exc, trace.request_id)(scope, receive, send)
        finally:
            body.let_go()

    async def _refusal(self, scope: Scope, headers: dict[bytes, bytes], trace: _Trace) -> Response | None:
        if scope["path"].startswith(PROTECTED):
            caller = self._keys.caller(headers.get(b"authorization"))
            if caller is None:
                return error_response(
                    401,
                    ErrorCode.UNAUTHORIZED,
                    "send a known API key as Authorization: Bearer <key>",
                    trace.request_id,
                    headers={"WWW-Authenticate": "Bearer"},
                )
            scope["state"]["caller"] = caller
            wait_s = await self._limiter.take(caller.name)
            if wait_s:
                return error_response(
                    429,
                    ErrorCode.RATE_LIMIT_EXCEEDED,
                    f"too many requests; try again in {wait_s} s",
                    trace.request_id,
                    headers={"Retry-After": str(wait_s)},
                )
        if b"%00" in scope["query_string"]:
            return error_response(
                400,
                ErrorCode.VALIDATION_ERROR,
                "query: it holds a NUL character, which no value may; send it without",
                trace.request_id,
            )
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._bounds.most_bytes:
            return http_response(BodyTooLarge(self._bounds.most_bytes), trace.request_id)
        return None
