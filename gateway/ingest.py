"""Events in: validate, produce to events.raw, and answer once the broker has acknowledged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway import cloud_events
from gateway.batch import Batch
from gateway.documentation import BATCH_BODY, EVENT_BODY, WRITE, errors
from gateway.envelope import error_response, json_response, wrong
from gateway.idempotency import DirectOnceRoute
from gateway.lines import NDJSON, TOO_LONG, lines
from gateway.links import about
from gateway.models import Accepted, BatchAccepted
from gateway.ports import Ports, ports_of
from gateway.rights import needs
from gateway.taking import Refused, Taking
from pipeline import metrics
from pipeline.api_keys.scope import Scope
from pipeline.codes import ErrorCode, ReasonCode
from pipeline.errors import BadInput, BrokerUnavailable
from pipeline.field_errors import FieldError

MAX_BATCH = 1_000
MAX_LINES = 10_000
_LENIENT = re.compile(r"(?:^|[,;\s])handling\s*=\s*\"?lenient\"?\s*(?:$|[,;])", re.IGNORECASE)
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)
_LINES = frozenset({NDJSON, "application/ndjson", "application/jsonl"})
_AROUND_PAYLOAD = (
    1_048_576  # bytes that a line may take beside its payload: identifiers, traits, JSON's escapes
)

router = APIRouter(tags=["events"], dependencies=[needs(Scope.INGEST)], route_class=DirectOnceRoute)


async def _json_body(request: Request) -> object:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as exc:
        raise BadInput("body", f"broken JSON at character {exc.pos}; send a JSON object in UTF-8") from None


def _media(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _lenient(request: Request) -> bool:
    """`Prefer: handling=lenient` (RFC 7240, section 4.4): for feeds that are known to be dirty."""
    return _LENIENT.search(",".join(request.headers.getlist("prefer"))) is not None


def wait_of(prefer: Sequence[str], most_s: int) -> int:
    """The seconds of `Prefer: wait=N` (RFC 7240, section 4.3), at most `most_s`; 0 where it is not asked for."""
    match = _WAIT.search(",".join(prefer))
    return min(int(match[1]), most_s) if match else 0


_AT_ONCE = (
    "profile",
    "summary",
    "timeline",
    "events",
    "identifiers",
    "relationships",
    "explain",
    "merge_logs",
    "constraints",
)
"""What consumers make of it comes a moment later."""


@router.post(
    "/v1/events",
    status_code=202,
    response_model=Accepted,
    responses={
        200: {
            "model": Accepted,
            "description": "Resolved within `Prefer: wait=N`.",
            "links": about("$response.body#/profile_id", *_AT_ONCE),
        },
        **errors(*WRITE),
    },
    openapi_extra=EVENT_BODY,
    summary="Send one event",
)
async def post_event(request: Request) -> Response:
    """Answers 202 once the broker has the event for good; with `Prefer: wait=N` (seconds) 200 and the profile,
    if the event is resolved in time. Sending it again under its `event_id`, or without one under the same
    `Idempotency-Key`, changes nothing. A CloudEvent is taken in structured and in binary mode."""
    value = await _json_body(request)
    form = None
    if cloud_events.is_binary(request.headers):
        form, value = cloud_events.from_cloud_event, cloud_events.from_headers(request.headers, value)
    elif _media(request) == cloud_events.STRUCTURED:
        form = cloud_events.from_cloud_event
    ports, state = ports_of(request), request.state
    taken = Taking.by(request, not _lenient(request)).read(value, 0, form)
    if isinstance(taken, Refused):
        return error_response(taken.status, taken.code, wrong(taken.errors), state.request_id, taken.errors)
    try:
        await ports.sender.send([taken.message])
    except BrokerUnavailable:
        metrics.EVENTS_TAKEN.labels("unavailable").inc()
        return _unacknowledged(request, {"event_id": taken.event_id})
    metrics.EVENTS_TAKEN.labels("accepted").inc()
    body = {
        "event_id": taken.event_id,
        "request_id": state.request_id,
        "correlation_id": state.correlation_id,
        "warnings": [w.model_dump() for w in taken.warnings],
    }
    return await _accepted(
        ports,
        UUID(taken.event_id),
        body,
        wait_of(request.headers.getlist("prefer"), ports.settings.max_wait_s),
    )


async def _accepted(ports: Ports, event_id: UUID, body: Mapping[str, object], wait_s: int) -> Response:
    if not wait_s:
        return json_response(body, HTTPStatus.ACCEPTED)
    applied = {"Preference-Applied": f"wait={wait_s}"}
    resolved = await ports.waiters.wait(event_id, wait_s)
    if resolved is None:
        return json_response(body, HTTPStatus.ACCEPTED, applied)
    profile_id = None if resolved.profile_id is None else str(resolved.profile_id)
    return json_response({**body, "profile_id": profile_id}, HTTPStatus.OK, applied)


def _unacknowledged(request: Request, beside: Mapping[str, object]) -> Response:
    message = "the broker did not acknowledge in time; send it again with the event_id named here"
    return error_response(503, ErrorCode.UNAVAILABLE, message, request.state.request_id, beside=beside)


@router.post(
    "/v1/events:batch",
    status_code=202,
    response_model=BatchAccepted,
    responses=errors(*WRITE),
    openapi_extra=BATCH_BODY,
    summary="Send many events",
)
async def post_batch(request: Request) -> Response:
    """Each event is accepted or refused on its own: look at every result. 202 comes once the broker has all
    accepted ones. After 503 send those again whose result says 503, with the event ids named there, and what lies
    behind the last result.

    Up to 1,000 as JSON or as a batch of CloudEvents; up to 10,000 as newline-delimited JSON, which is taken as it
    comes. What lies behind a broken line is taken all the same."""
    batch = Batch(
        Taking.by(request, not _lenient(request)),
        cloud_events.from_cloud_event if _media(request) == cloud_events.BATCHED else None,
    )
    try:
        if _media(request) in _LINES:
            await _add_lines(request, batch)
        else:
            await batch.add(_events(await _json_body(request)))
    except BrokerUnavailable:
        return _unacknowledged(request, {"results": batch.results})
    return json_response(
        {
            "request_id": request.state.request_id,
            "accepted": batch.accepted,
            "refused": batch.refused,
            "results": batch.results,
        },
        HTTPStatus.ACCEPTED,
        None if batch.taking.strict else {"Preference-Applied": "handling=lenient"},
    )


def _events(body: object) -> list[object]:
    values = body.get("events") if isinstance(body, dict) else body
    if not isinstance(values, list):
        raise BadInput("events", 'a list of events is needed; send {"events": [...]}')
    if not 1 <= len(values) <= MAX_BATCH:
        raise BadInput("events", f"{len(values)} events; send 1 to {MAX_BATCH} in one batch")
    return values


async def _add_lines(request: Request, batch: Batch) -> None:
    """Add a body of lines in batches, and no more than MAX_LINES of them. Raises BrokerUnavailable, BadInput."""
    held: list[object] = []
    most = ports_of(request).settings.max_payload_bytes + _AROUND_PAYLOAD
    async for line in lines(request.stream(), most):
        if len(batch.results) + len(held) == MAX_LINES:
            held.append(
                _no_line(f"more than {MAX_LINES} lines", "send this line and those behind it by themselves")
            )
            break
        held.append(_event(line, most))
        if len(held) == MAX_BATCH:
            await batch.add(held)
            held = []
    await batch.add(held)
    if not batch.results:
        raise BadInput("body", "no line; send an event on each")


def _event(line: bytes, most_bytes: int) -> object:
    if line == TOO_LONG:
        return _no_line(f"longer than {most_bytes} bytes", "keep the payload within its limit")
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        return _no_line(f"broken JSON at character {exc.pos}", "send a JSON object in UTF-8 on each line")


def _no_line(problem: str, mend: str) -> Refused:
    return Refused.of((FieldError("line", problem, mend, ReasonCode.SCHEMA_VIOLATION, "line"),))
