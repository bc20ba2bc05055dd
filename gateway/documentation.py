"""Pieces of the OpenAPI document that no signature says: bodies read by hand, and the errors of a route."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from gateway.cloud_events import BATCHED, STRUCTURED
from gateway.error_models import ErrorEnvelope
from gateway.idempotency import KEY
from gateway.lines import NDJSON
from gateway.problem import PROBLEM_JSON, as_problem
from pipeline.events import EventIn

_MEANINGS = {
    400: (
        "VALIDATION_ERROR",
        "identifiers.phone: Not a possible phone number; send it in international form",
    ),
    401: ("UNAUTHORIZED", "send a known API key as Authorization: Bearer <key>"),
    403: ("FORBIDDEN", "this key lacks the scope steward; use one that has it, or ask an administrator"),
    404: ("NOT_FOUND", "no such profile"),
    408: ("REQUEST_TIMEOUT", "the body did not come within 30 s; send it again, or smaller batches"),
    409: ("CONFLICT", "the merge was rolled back before"),
    410: ("POSITION_GONE", "the topics no longer hold this position; start again with from=earliest"),
    412: (
        "PRECONDITION_FAILED",
        "review 019c1f3a-52d0-7a61-9f00-5b6c7d8e9fa0 is not as it was when you read it: read it again, then act on "
        "what it is now",
    ),
    413: ("PAYLOAD_TOO_LARGE", "the body is over 33554432 bytes; send smaller batches"),
    415: (
        "VALIDATION_ERROR",
        "Content-Encoding: it is not one that is read; send gzip, or nothing encoded",
    ),
    422: (
        "IDEMPOTENCY_KEY_REUSED",
        "Idempotency-Key: it was used for another request before; send each write under a key of its own",
    ),
    429: ("RATE_LIMIT_EXCEEDED", "too many requests; try again in 12 s"),
    431: ("HEADERS_TOO_LARGE", "URL and header fields are over 32768 bytes; send less of them"),
    500: ("INTERNAL_ERROR", "an error of ours; it is logged under this request id"),
    503: ("UNAVAILABLE", "a server is away (StoreUnavailable); try again"),
}
BODY = (400, 408, 413, 415, 503)
"""How reading a body may end."""

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Detail"}},
    },
}
"""Problem details, RFC 9457."""

_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_STANDING = {
    "RateLimit-Limit": {"description": "Requests a minute.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "How many more may come.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "In so many seconds.", "schema": {"type": "integer"}},
}

Responses = dict[int | str, dict[str, object]]


def errors(*statuses: int) -> Responses:
    """The typed errors of a route: those given, and what any protected route may answer."""
    return {status: _response(status) for status in sorted({*statuses, 401, 403, 429, 500})}


def refused(*statuses: int) -> Responses:
    """Refusals in the envelope by a route that answers in another form."""
    return {
        status: {k: v for k, v in _response(status).items() if k != "model"} for status in sorted(statuses)
    }


def _response(status: int) -> dict[str, object]:
    code, message = _MEANINGS[status]
    example = {"error": {"message": message, "code": code, "request_id": "5f2b0c9e0d4b4c1f9a6f"}}
    problem = as_problem(example, HTTPStatus(status), "/v1/...")
    found: dict[str, object] = {
        "model": ErrorEnvelope,
        "description": code,
        "content": {
            "application/json": {"example": example},
            PROBLEM_JSON: {"schema": _PROBLEM, "example": problem},
        },
    }
    if status == 429:
        return {**found, "headers": {**_RETRY, **_STANDING}}
    return {**found, "headers": _RETRY} if status == 503 else found


WRITE = (*BODY, 409, 422)
"""How a write may end that takes an Idempotency-Key."""

CONDITIONAL = (*WRITE, 404, 412)
"""How such a write on one thing may end that takes If-Match as well."""

ETAG: Responses = {
    200: {
        "headers": {
            "ETag": {
                "description": "Names what was read: send it as If-Match with what you do about it.",
                "schema": {"type": "string"},
                "example": '"3f1c9a0b7d2e4856"',
            }
        }
    }
}

Document = dict[str, object]


def without_null(schema: Mapping[str, object]) -> Document:
    """The schema of a parameter: it may be left out, but what stands in an address or a header is never null."""
    options = schema.get("anyOf")
    if not isinstance(options, list):
        return {**schema}
    kept = [option for option in options if option != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**kept[0], **rest} if len(kept) == 1 else {**rest, "anyOf": kept}


def _event_schema() -> Document:
    return EventIn.model_json_schema(mode="validation")


def _event_field(name: str) -> Document:
    return EventIn.model_json_schema(mode="validation")["properties"][name]  # type: ignore[no-any-return]


def _header(name: str, example: str, description: str, **rules: object) -> Document:
    schema = {"type": "string", "examples": [example], **rules}
    return {"name": name, "in": "header", "schema": schema, "description": description}


def body(schemas: Mapping[str, Document], *parameters: Document) -> Document:
    """A body that is read by hand, by the schemas of its forms, and headers that no signature says."""
    content = {media: {"schema": schema} for media, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}, "parameters": list(parameters)}


IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "0b0e7ad6-4b1c-4c34-9c0b-0f3b3a1f2f11",
    "Sent again within a day, the write is answered as before and not done again.",
    pattern=KEY,
)
_ENCODING = _header(
    "Content-Encoding", "gzip", "gzip, where the body is compressed.", enum=["gzip", "identity"]
)
_LENIENT = "handling=lenient: keep events with a value that cannot be used, without that value."
_CLOUD_EVENT: Document = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {
            "type": "string",
            "minLength": 1,
            "description": "Its last part is the event's source: /shops/7/pos is pos.",
        },
        "type": {**_event_field("event_type"), "description": "The event's event_type."},
        "time": _event_field("occurred_at"),
        "datacontenttype": {
            "type": ["string", "null"],
            "pattern": r"^(application/json|text/json|[^;]*\+json)(;.*)?$",
            "examples": ["application/json"],
        },
        "correlationid": _event_field("correlation_id"),
        "data": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "source": {"anyOf": [_event_field("source"), {"type": "null"}]},
                **{name: _event_field(name) for name in ("identifiers", "traits", "payload", "consent")},
            },
        },
    },
    "example": {
        "specversion": "1.0",
        "id": "A234-1234-1234",
        "source": "/shops/berlin/pos",
        "type": "purchase",
        "time": "2026-01-31T09:30:00Z",
        "data": {"identifiers": {"phone": "+4930123456"}, "payload": {"amount": 12.5, "currency": "EUR"}},
    },
}
EVENT_BODY = body(
    {"application/json": _event_schema(), STRUCTURED: _CLOUD_EVENT},
    _header("Prefer", "wait=5", f"wait=N: answer once the event is resolved, or after N seconds. {_LENIENT}"),
    _ENCODING,
)
_BATCH: Document = {
    "type": "object",
    "required": ["events"],
    "properties": {"events": {"type": "array", "minItems": 1, "maxItems": 1000, "items": _event_schema()}},
}
BATCH_BODY = body(
    {
        "application/json": _BATCH,
        NDJSON: {"type": "string", "pattern": r"\S", "description": "An event on each line, at most 10,000."},
        BATCHED: {"type": "array", "minItems": 1, "maxItems": 1000, "items": _CLOUD_EVENT},
    },
    _header("Prefer", "handling=lenient", _LENIENT),
    _ENCODING,
)
