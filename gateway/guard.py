"""Whether a request may reach a route: its key, its quotas, its size."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.auth import Keys
from gateway.body import Body, BodyRefused, BodyTooLarge, Bounds
from gateway.envelope import error_response, http_response
from gateway.inflate import plain
from gateway.limiter import Limiter
from gateway.quotas import Quotas, told
from gateway.rights import PROTECTED, Caller
from gateway.under_way import LEAST_BYTES
from pipeline import metrics
from pipeline.codes import ErrorCode
from pipeline.errors import RetryLater


class Guard:
    """ASGI middleware behind the edge. Puts `caller` into the request's state, and how it stands into the answer."""

    def __init__(self, app: ASGIApp, keys: Keys, limiter: Limiter, quotas: Quotas, bounds: Bounds) -> None:
        self._app = app
        self._keys = keys
        self._limiter = limiter
        self._quotas = quotas
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        protected = scope["path"].startswith(PROTECTED)
        refusal = await self._not_let_in(scope, headers) if protected else None
        refusal = refusal or self._malformed(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        request_id: str = scope["state"]["request_id"]
        try:
            body = Body(
                plain(receive, headers.get(b"content-encoding", b""), self._bounds.most_bytes), self._bounds
            )
        except BodyRefused as exc:
            await http_response(exc, request_id)(scope, receive, send)
            return
        try:
            body.begin(int(headers.get(b"content-length", b"0")), LEAST_BYTES if protected else 0)
            await self._app(scope, body.receive, send)
        except BodyRefused as exc:
            await http_response(exc, request_id)(scope, receive, send)
        finally:
            body.let_go()

    async def _not_let_in(self, scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
        state = scope["state"]
        caller, away = await self._caller(headers.get(b"authorization"))
        address = (scope.get("client") or ("",))[0]
        standing = await self._limiter.take(self._quotas.of(caller, address))
        if standing is not None:
            state["answer_headers"] = told(standing)
            if standing.wait_s:
                metrics.HTTP_REFUSED.labels(standing.quota.policy).inc()
                message = f"too many requests; try again in {standing.wait_s} s"
                return error_response(429, ErrorCode.RATE_LIMIT_EXCEEDED, message, state["request_id"])
        if away:
            metrics.HTTP_REFUSED.labels("keys_away").inc()
            message = "API keys cannot be looked up now; try again"
            return error_response(503, ErrorCode.UNAVAILABLE, message, state["request_id"])
        if caller is None:
            metrics.HTTP_REFUSED.labels("unknown_key").inc()
            return error_response(
                401,
                ErrorCode.UNAUTHORIZED,
                "send a known API key as Authorization: Bearer <key>",
                state["request_id"],
                headers={"WWW-Authenticate": "Bearer"},
            )
        state["caller"] = caller
        return None

    async def _caller(self, authorization: bytes | None) -> tuple[Caller | None, bool]:
        """Who calls, and whether that cannot be told now."""
        try:
            return await self._keys.caller(authorization), False
        except RetryLater:
            return None, True

    def _malformed(self, scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
        request_id: str = scope["state"]["request_id"]
        if b"%00" in scope["query_string"]:
            message = "query: it holds a NUL character, which no value may; send it without"
            return error_response(400, ErrorCode.VALIDATION_ERROR, message, request_id)
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._bounds.most_bytes:
            return http_response(BodyTooLarge(self._bounds.most_bytes), request_id)
        return None
