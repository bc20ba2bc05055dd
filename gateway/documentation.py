"""Pieces of the OpenAPI document that no signature says: bodies read by hand, and the errors of a route."""

from __future__ import annotations

from gateway.envelope import ErrorEnvelope
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
    413: ("PAYLOAD_TOO_LARGE", "the body is over 33554432 bytes; send smaller batches"),
    429: ("RATE_LIMIT_EXCEEDED", "too many requests; try again in 12 s"),
    500: ("INTERNAL_ERROR", "an error of ours; it is logged under this request id"),
    503: ("UNAVAILABLE", "a server is away (StoreUnavailable); try again"),
}
BODY = (400, 408, 413, 503)
"""How reading a body may end."""

_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}

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
    found: dict[str, object] = {
        "model": ErrorEnvelope,
        "description": code,
        "content": {"application/json": {"example": example}},
    }
    return {**found, "headers": _RETRY} if status in (429, 503) else found


def _event_schema() -> dict[str, object]:
    return EventIn.model_json_schema(mode="validation")


def _body(schema: dict[str, object]) -> dict[str, object]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _prefer(example: str, description: str) -> dict[str, object]:
    schema = {"type": "string", "examples": [example]}
    return {"parameters": [{"name": "Prefer", "in": "header", "schema": schema, "description": description}]}


_LENIENT = "handling=lenient: keep events with a value that cannot be used, without that value."
EVENT_BODY = {
    **_body(_event_schema()),
    **_prefer("wait=5", f"wait=N: answer once the event is resolved, or after N seconds. {_LENIENT}"),
}
BATCH_BODY = {
    **_body(
        {
            "type": "object",
            "required": ["events"],
            "properties": {
                "events": {"type": "array", "minItems": 1, "maxItems": 1000, "items": _event_schema()}
            },
        }
    ),
    **_prefer("handling=lenient", _LENIENT),
}
