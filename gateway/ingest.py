"""Events in: validate, produce to events.raw, and answer once the broker has acknowledged."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.documentation import BATCH_BODY, BODY, EVENT_BODY, errors
from gateway.envelope import error_body, error_response, json_response, wrong
from gateway.models import Accepted, BatchAccepted, Warned
from gateway.ports import Ports, ports_of
from gateway.rights import needs
from gateway.values import Customer, issues_of, known_as, refusals, warnings, without_customer
from pipeline import metrics
from pipeline.api_keys.scope import Scope
from pipeline.codes import ErrorCode, ReasonCode
from pipeline.errors import BadInput, BrokerUnavailable
from pipeline.events import event_id_text, parse_event, to_raw
from pipeline.field_errors import FieldError, InvalidEvent
from schemas.codec import RAW_TOPIC

MAX_BATCH = 1_000
_CHUNK = 100
_LENIENT = re.compile(r"(?:^|[,;\s])handling\s*=\s*\"?lenient\"?\s*(?:$|[,;])", re.IGNORECASE)
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)

router = APIRouter(tags=["events"], dependencies=[needs(Scope.INGEST)])


@dataclass(frozen=True, slots=True)
class Taken:
    """An event ready to be produced."""

    event_id: str
    message: bytes
    warnings: tuple[Warned, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that is not taken, with the status it alone would get."""

    status: int
    code: ErrorCode
    errors: tuple[FieldError, ...]


def _refused(errors: tuple[FieldError, ...]) -> Refused:
    metrics.EVENTS_TAKEN.labels("refused").inc()
    if any(e.reason is ReasonCode.PAYLOAD_TOO_LARGE for e in errors):
        return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ErrorCode.PAYLOAD_TOO_LARGE, errors)
    return Refused(HTTPStatus.BAD_REQUEST, ErrorCode.VALIDATION_ERROR, errors)


def take(
    value: object, ports: Ports, now: datetime, request_id: str, correlation_id: str, *, strict: bool = True
) -> Taken | Refused:
    """One parsed JSON value as a message for events.raw, or what is wrong with it.

    Unless `strict`, values that cannot be used are left to the pipeline, which keeps the event and tells why.
    """
    checked = strict and ports.settings.validate_values
    key = known_as(value, now.date(), checked=checked)
    customer = None if key is None else ports.customers.get(key)
    try:
        event = parse_event(value if customer is None else without_customer(value), ports.limits, now)
    except InvalidEvent as exc:
        return _refused(exc.errors)
    if customer is None:
        issues = issues_of(event, ports.policy, ports.settings.default_region, now.date()) if checked else ()
        if wrong_values := refusals(issues):
            return _refused(tuple(wrong_values))
        encode = ports.codec.encode_field
        customer = Customer(
            encode(RAW_TOPIC, "identifiers", event.identifiers),
            encode(RAW_TOPIC, "traits", event.traits),
            tuple(warnings(issues)),
        )
        if key is not None:
            ports.customers.add(key, customer)
    event_id = str(ports.new_id()) if event.event_id is None else event_id_text(event.source, event.event_id)
    raw = to_raw(event, event_id, now, request_id, correlation_id)
    raw["identifiers"], raw["traits"] = customer.identifiers, customer.traits
    return Taken(event_id, ports.codec.encode(RAW_TOPIC, raw), customer.notes)


async def _json_body(request: Request) -> object:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as exc:
        raise BadInput("body", f"broken JSON at character {exc.pos}; send a JSON object in UTF-8") from None


def _lenient(request: Request) -> bool:
    """`Prefer: handling=lenient` (RFC 7240, section 4.4): for feeds that are known to be dirty."""
    return _LENIENT.search(",".join(request.headers.getlist("prefer"))) is not None


def wait_of(prefer: Sequence[str], most_s: int) -> int:
    """The seconds of `Prefer: wait=N` (RFC 7240, section 4.3), at most `most_s`; 0 where it is not asked for."""
    match = _WAIT.search(",".join(prefer))
    return min(int(match[1]), most_s) if match else 0


@router.post(
    "/v1/events",
    status_code=202,
    response_model=Accepted,
    responses={
        200: {"model": Accepted, "description": "Resolved within `Prefer: wait=N`."},
        **errors(*BODY),
    },
    openapi_extra=EVENT_BODY,
    summary="Send one event",
)
async def post_event(request: Request) -> Response:
    """Answers 202 once the broker has the event for good; with `Prefer: wait=N` (seconds) 200 and the profile,
    if the event is resolved in time. Sending it again under its `event_id` changes nothing."""
    ports = ports_of(request)
    value = await _json_body(request)
    state = request.state
    strict = not _lenient(request)
    taken = take(value, ports, ports.clock(), state.request_id, state.correlation_id, strict=strict)
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
    responses=errors(*BODY),
    openapi_extra=BATCH_BODY,
    summary="Send up to 1,000 events",
)
async def post_batch(request: Request) -> Response:
    """Each event is accepted or refused on its own: look at every result. 202 comes once the broker has all
    accepted ones. After 503 send the batch again with the event ids named in its results."""
    ports = ports_of(request)
    values = _events(await _json_body(request))
    state = request.state
    now = ports.clock()
    strict = not _lenient(request)
    outcomes: list[Taken | Refused] = []
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        outcomes += [
            take(v, ports, now, state.request_id, state.correlation_id, strict=strict) for v in chunk
        ]
        await asyncio.sleep(0)  # let other requests through: a batch is tens of milliseconds of work
    applied = None if strict else {"Preference-Applied": "handling=lenient"}
    messages = [o.message for o in outcomes if isinstance(o, Taken)]
    try:
        await ports.sender.send(messages)
    except BrokerUnavailable:
        metrics.EVENTS_TAKEN.labels("unavailable").inc(len(messages))
        return _unacknowledged(request, {"results": _results(outcomes, 503, state.request_id)})
    metrics.EVENTS_TAKEN.labels("accepted").inc(len(messages))
    return json_response(
        {
            "request_id": state.request_id,
            "accepted": len(messages),
            "refused": len(outcomes) - len(messages),
            "results": _results(outcomes, 202, state.request_id),
        },
        HTTPStatus.ACCEPTED,
        applied,
    )


def _events(body: object) -> list[object]:
    values = body.get("events") if isinstance(body, dict) else body
    if not isinstance(values, list):
        raise BadInput("events", 'a list of events is needed; send {"events": [...]}')
    if not 1 <= len(values) <= MAX_BATCH:
        raise BadInput("events", f"{len(values)} events; send 1 to {MAX_BATCH} in one batch")
    return values


def _results(outcomes: list[Taken | Refused], status: int, request_id: str) -> list[dict[str, object]]:
    results: list[dict[str, object]] = []
    for index, outcome in enumerate(outcomes):
        match outcome:
            case Taken(event_id, _, notes):
                result: dict[str, object] = {"index": index, "status": status, "event_id": event_id}
                if notes:
                    result["warnings"] = [w.model_dump() for w in notes]
            case Refused(refused_status, code, errors_):
                error = error_body(code, wrong(errors_), request_id, errors_)
                result = {"index": index, "status": int(refused_status), "error": error}
        results.append(result)
    return results
