"""One event as a caller sent it: taken as a message for events.raw, or refused, with what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import orjson
from starlette.requests import Request

from gateway.idempotency import key_of
from gateway.models import Warned
from gateway.ports import Ports, ports_of
from gateway.rights import caller_of
from gateway.values import (
    Customer,
    issues_of,
    known_as,
    refusals,
    unknown_purposes,
    warnings,
    without_customer,
)
from pipeline import metrics
from pipeline.codes import ErrorCode, ReasonCode
from pipeline.events import event_id_text, event_uuid, parse_event, to_raw
from pipeline.field_errors import FieldError, InvalidEvent
from schemas.codec import RAW_TOPIC

Read = Callable[[object], object]
"""From a value in a caller's form to one in ours. Raises InvalidEvent."""


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

    @classmethod
    def of(cls, errors: tuple[FieldError, ...]) -> Refused:
        """What these wrong fields come to."""
        metrics.EVENTS_TAKEN.labels("refused").inc()
        if any(e.reason is ReasonCode.PAYLOAD_TOO_LARGE for e in errors):
            return cls(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ErrorCode.PAYLOAD_TOO_LARGE, errors)
        return cls(HTTPStatus.BAD_REQUEST, ErrorCode.VALIDATION_ERROR, errors)


@dataclass(frozen=True, slots=True)
class Taking:
    """What holds for all events of a request. Unless `strict`, values that cannot be used are left to the pipeline,
    which keeps the event and tells why. `named` tells the request from all others of its caller, if it says so."""

    ports: Ports
    now: datetime
    request_id: str
    correlation_id: str
    strict: bool = True
    named: str | None = None

    @classmethod
    def by(cls, request: Request, strict: bool) -> Taking:
        """Of a request."""
        ports, state = ports_of(request), request.state
        key = key_of(request)
        named = None if key is None else f"{caller_of(request).name} {key}"
        return cls(ports, ports.clock(), state.request_id, state.correlation_id, strict, named)

    def read(self, value: object, index: int, read: Read | None) -> Taken | Refused:
        """`take` of an event in the caller's form, the one at `index` of the request's."""
        if read is None:
            return self.take(value, index)
        try:
            return self.take(read(value), index)
        except InvalidEvent as exc:
            return Refused.of(exc.errors)

    def take(self, value: object, index: int = 0) -> Taken | Refused:
        """A parsed JSON value in our form."""
        ports, today = self.ports, self.now.date()
        checked = self.strict and ports.settings.validate_values
        key = known_as(value, today, checked=checked)
        customer = None if key is None else ports.customers.get(key)
        try:
            event = parse_event(
                value if customer is None else without_customer(value), ports.limits, self.now
            )
        except InvalidEvent as exc:
            return Refused.of(exc.errors)
        if customer is None:
            issues = issues_of(event, ports.policy, ports.settings.default_region, today) if checked else ()
            if wrong_values := refusals(issues):
                return Refused.of(tuple(wrong_values))
            encode = ports.codec.encode_field
            customer = Customer(
                encode(RAW_TOPIC, "identifiers", event.identifiers),
                encode(RAW_TOPIC, "traits", event.traits),
                tuple(warnings(issues)),
            )
            if key is not None:
                ports.customers.add(key, customer)
        given = event.event_id
        event_id = self._unnamed(value, index) if given is None else event_id_text(event.source, given)
        raw = to_raw(event, event_id, self.now, self.request_id, self.correlation_id)
        raw["identifiers"], raw["traits"] = customer.identifiers, customer.traits
        notes = (
            (*customer.notes, *warnings(unknown_purposes(event, ports.policy)))
            if event.consent
            else customer.notes
        )
        return Taken(event_id, ports.codec.encode(RAW_TOPIC, raw), notes)

    def _unnamed(self, value: object, index: int) -> str:
        """The id of an event that came without one; where the request is known by its key, the same each time that the
        same event comes in the same place."""
        if self.named is None:
            return str(self.ports.new_id())
        said = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return str(event_uuid("idempotency-key", f"{self.named} {index} {said}"))
