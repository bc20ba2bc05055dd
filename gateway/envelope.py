"""The error envelope: every refusal has the same form, a code to branch on, and the request to ask about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple, cast

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from pipeline.codes import ErrorCode
from pipeline.errors import (
    AuditUnavailable,
    BadInput,
    Conflict,
    FeedFull,
    Forbidden,
    NotFound,
    PositionGone,
    PreconditionFailed,
    ReadersBusy,
    RetailBrainError,
    RetryLater,
)
from pipeline.field_errors import FieldError, InvalidEvent, field_errors
from pipeline.log import get_logger

RETRY_AFTER_S = 2
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def details(errors: Sequence[FieldError]) -> list[dict[str, str]]:
    """Field errors as the envelope shows them."""
    return [{"field": e.field, "problem": e.problem, "mend": e.mend} for e in errors]


def error_body(
    code: ErrorCode, message: str, request_id: str, errors: Sequence[FieldError] = ()
) -> dict[str, object]:
    """The inner object of the envelope."""
    body: dict[str, object] = {"message": message, "code": code, "request_id": request_id}
    if errors:
        body["details"] = details(errors)
    return body


def error_response(
    status: int,
    code: ErrorCode,
    message: str,
    request_id: str,
    errors: Sequence[FieldError] = (),
    *,
    headers: Mapping[str, str] | None = None,
    beside: Mapping[str, object] | None = None,
) -> Response:
    """An answer in the envelope; `beside` goes next to `error`. 503 always says when to retry."""
    content = orjson.dumps({"error": error_body(code, message, request_id, errors), **(beside or {})})
    extra = dict(headers or {})
    if status == 503:
        extra.setdefault("Retry-After", str(RETRY_AFTER_S))
    return Response(content, status, extra, media_type="application/json")


def request_id_of(request: Request) -> str:
    """The id the edge gave to the request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer by orjson."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


_STATUS_CODES = {
    400: ErrorCode.VALIDATION_ERROR,
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.VALIDATION_ERROR,
    408: ErrorCode.REQUEST_TIMEOUT,
    409: ErrorCode.CONFLICT,
    410: ErrorCode.POSITION_GONE,
    412: ErrorCode.PRECONDITION_FAILED,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    415: ErrorCode.VALIDATION_ERROR,
    429: ErrorCode.RATE_LIMIT_EXCEEDED,
    431: ErrorCode.HEADERS_TOO_LARGE,
    503: ErrorCode.UNAVAILABLE,
}
_STATUSES: Mapping[type[RetailBrainError], int] = {
    BadInput: 400,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    PositionGone: 410,
    PreconditionFailed: 412,
    AuditUnavailable: 503,
    FeedFull: 503,
    ReadersBusy: 503,
}


class Refusal(NamedTuple):
    """How an error of ours is answered."""

    status: int
    code: ErrorCode
    message: str


def refusal(exc: RetailBrainError) -> Refusal | None:
    """None of an error that no caller is to be told of."""
    status = _STATUSES.get(type(exc))
    if status is not None:
        return Refusal(status, _STATUS_CODES[status], str(exc))
    if isinstance(exc, RetryLater):
        return Refusal(503, ErrorCode.UNAVAILABLE, f"a server is away ({type(exc).__name__}); try again")
    return None


def _of_ours(request: Request, exc: Exception) -> Response:
    request_id = request_id_of(request)
    if isinstance(exc, InvalidEvent):
        return error_response(400, ErrorCode.VALIDATION_ERROR, wrong(exc.errors), request_id, exc.errors)
    found = refusal(exc) if isinstance(exc, RetailBrainError) else None
    if found is None:
        return unforeseen(exc, request_id)
    if type(exc) not in _STATUSES:
        get_logger().warning("answered 503", request_id=request_id, cause=type(exc).__name__)
    return error_response(found.status, found.code, found.message, request_id)


def wrong(errors: Sequence[FieldError]) -> str:
    """The envelope's message for wrong fields."""
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{first.field}: {first.problem}; {first.mend}{more}"


def unforeseen(exc: Exception, request_id: str) -> Response:
    """An answer to an error of ours, which is logged."""
    get_logger().error("unforeseen error", request_id=request_id, exc_info=exc)
    message = "an error of ours; it is logged under this request id"
    return error_response(500, ErrorCode.INTERNAL_ERROR, message, request_id)


def http_response(exc: HTTPException, request_id: str) -> Response:
    """A refusal by status, in the envelope."""
    code = _STATUS_CODES.get(exc.status_code, ErrorCode.VALIDATION_ERROR)
    message = "no such path" if exc.status_code == 404 and exc.detail == "Not Found" else str(exc.detail)
    return error_response(exc.status_code, code, message, request_id, headers=exc.headers)


def _http(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        return unforeseen(exc, request_id_of(request))
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = ", ".join(_methods(request))
        exc = HTTPException(exc.status_code, f"this path takes {methods}", {"Allow": methods})
    return http_response(exc, request_id_of(request))


def _methods(request: Request) -> list[str]:
    """What the path takes: the router names those of the first route alone that fits it."""
    asked = ({**request.scope, "method": method} for method in _METHODS)
    routes = request.app.routes
    return [s["method"] for s in asked if any(r.matches(s)[0] is Match.FULL for r in routes)]


def _parameters(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, RequestValidationError):
        return unforeseen(exc, request_id_of(request))
    errors = field_errors(cast(Sequence[ErrorDetails], exc.errors()))
    return error_response(400, ErrorCode.VALIDATION_ERROR, wrong(errors), request_id_of(request), errors)


def install(app: FastAPI) -> None:
    """Answer every error of the app in the envelope; what nobody foresaw is the edge's to answer."""
    app.add_exception_handler(RetailBrainError, _of_ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _parameters)
