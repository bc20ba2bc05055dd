"""Refusals as problem details (RFC 9457), for callers that ask for `application/problem+json`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROBLEM_JSON = "application/problem+json"
_FIRST_ERROR = 400


def prefers_problem(accept: str) -> bool:
    """Whether an Accept header (RFC 9110, section 12.5.1) names problem details, and rates them no lower than JSON."""
    rated = {kind: quality for kind, quality in map(_range, accept.split(",")) if kind}
    return 0 < rated.get(PROBLEM_JSON, 0.0) >= rated.get("application/json", 0.0)


def _range(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return kind, float(quality)
    except ValueError:
        return kind, 0.0


def as_problem(envelope: Mapping[str, object], status: int, path: str) -> dict[str, object]:
    """The error envelope as problem details. What an envelope holds beside the error stays beside it."""
    error = envelope["error"]
    assert isinstance(error, dict)
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error["message"],
        "instance": path,
        "code": error["code"],
        "request_id": error["request_id"],
    }
    if "details" in error:
        problem["errors"] = error["details"]
    return {**{name: value for name, value in envelope.items() if name != "error"}, **problem}


class Problems:
    """ASGI middleware around all that answers in the envelope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and say refusals otherwise where the caller asks for it."""
        if scope["type"] != "http" or not prefers_problem(Headers(scope=scope).get("accept", "")):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Told(send, scope["path"]))


class _Told:
    """Holds the start of a refusal back until its body, which the envelope sends whole, is there."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = path
        self._held: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_refusal(message):
            self._held = message
        elif self._held is None:
            await self._send(message)
        else:
            start, self._held = self._held, None
            told = orjson.loads(message["body"])
            if "error" in told:  # readiness answers in a form of its own
                message = {**message, "body": orjson.dumps(as_problem(told, start["status"], self._path))}
                headers = MutableHeaders(scope=start)
                headers["Content-Type"] = PROBLEM_JSON
                headers["Content-Length"] = str(len(message["body"]))
            await self._send(start)
            await self._send(message)


def _is_refusal(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] >= _FIRST_ERROR and kind == "application/json"
