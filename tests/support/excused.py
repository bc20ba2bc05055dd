"""What is no fault though a schema does not say it: each time a field of one operation, or a header, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import orjson
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import RejectedPositiveData

IDENTIFIERS = (
    "phone",
    "email",
    "loyalty_id",
    "crm_id",
    "whatsapp",
    "marketplace_id",
    "device_id",
    "cookie_id",
)
REFUSED: Mapping[str, tuple[str, ...]] = {
    # only what was given out is taken, which a keyed hash or a checksum in it says
    "GET /v1/changes": ("after", "Last-Event-ID"),
    "GET /v1/profiles/{profile_id}/timeline": ("cursor",),
    "GET /v1/constraints": ("cursor",),
    "GET /v1/audit": ("cursor",),
    # which values can name somebody is what canonicalisation says; and a query cannot ask for one of several
    "GET /v1/profiles": ("query", *IDENTIFIERS),
    "POST /v1/profiles:search": ("cursor", "identifiers", "person"),
    # and the source of a CloudEvent is the last part of its URI, unless its data names one
    "POST /v1/events": ("identifiers", "traits", "occurred_at", "source", "consent"),
    "PATCH /v1/dead-letters/{dead_letter_id}": (
        "set",
        "unset",
        "event",
        "identifiers",
        "traits",
        "source",
        "consent",
    ),
    # one parameter bounds another
    "GET /v1/insights/live": ("last",),
    "GET /v1/reviews": ("unassigned", "min_score"),
    "GET /v1/profiles/{profile_id}/explain": ("with",),
    "DELETE /v1/profiles/{profile_id}": ("plan",),
    # the time that it is
    "GET /v1/profiles/{profile_id}/history": ("as_of",),
    "POST /v1/reviews/{review_id}/skip": ("until",),
    # what is there
    "POST /v1/profiles/{profile_id}/split": ("records", "events"),
    # which hosts are public
    "POST /v1/webhooks": ("url",),
    "PATCH /v1/webhooks/{webhook_id}": ("url",),
    # whether text is a schema
    "POST /subjects/{subject}": ("schema",),
    "POST /subjects/{subject}/versions": ("schema",),
}
"""Fields, or what begins with them and a dot, that may be refused with 400 where they keep to their schema."""


def excused(failure: Failure, case: schemathesis.Case, response: Response) -> bool:
    """Whether what a check found is none of our faults."""
    if isinstance(failure, RejectedPositiveData):
        return _by_what_was_there(case, response) or _by_a_rule(case, response)
    if isinstance(failure, AcceptedNegativeData) and case.operation.label == "POST /v1/events:batch":
        # each event is taken or refused on its own: the answer says which
        return bool(orjson.loads(response.content)["refused"])
    return False


def _by_what_was_there(case: schemathesis.Case, response: Response) -> bool:
    """As 404 and 409 are by schemathesis itself: what the request meant to meet, or to be, was another one."""
    if response.status_code == 412:
        return "If-Match" in case.headers
    if response.status_code == 422:
        return _error(response).get("code") == "IDEMPOTENCY_KEY_REUSED" or (
            case.operation.label == "POST /subjects/{subject}/versions"  # schemas are declared elsewhere
        )
    return False


def _by_a_rule(case: schemathesis.Case, response: Response) -> bool:
    message = str(_error(response).get("message", ""))
    refused = message.partition(":")[0]
    if response.status_code != 400:
        return False
    if r"\p{C}" in message:
        return True  # schemathesis takes that for control characters alone: it is more than these
    if refused == "If-Match":  # schemathesis puts no quotes into some headers, whatever their pattern
        return '"' not in case.headers["If-Match"]
    fields = REFUSED.get(case.operation.label, ())
    return any(refused == one or refused.startswith(f"{one}.") for one in fields)


def _error(response: Response) -> Mapping[str, object]:
    return cast(Mapping[str, object], orjson.loads(response.content).get("error", {}))
