"""The OpenAPI document with examples of what is there, for those that the document itself makes up."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import cast

from tests.support.furnished import There

KEY = "0b0e7ad6-4b1c-4c34-9c0b-0f3b3a1f2f11"
"""The document's example of an Idempotency-Key."""
Json = dict[str, object]
_WHY: Json = {"reason": "asked by the schema"}


def with_examples(document: Json, there: There) -> Json:
    """The same document, in which each operation has an example that finds what it asks for."""
    found = deepcopy(document)
    paths = cast(dict[str, dict[str, Json]], found["paths"])
    for path, methods in paths.items():
        for method, operation in methods.items():
            label = f"{method.upper()} {path}"
            of_its_own = _of_operation(there).get(label, {})
            for parameter in cast(list[Json], operation.get("parameters", [])):
                known = of_its_own if parameter["in"] == "query" else {**_parameters(there), **of_its_own}
                if parameter["name"] in known:
                    parameter["example"] = known[str(parameter["name"])]
            body = _bodies(there).get(label)
            if body is not None:
                content = cast(dict[str, Json], cast(Json, operation["requestBody"])["content"])
                for media in content.values():
                    media["example"] = body
    return found


def _parameters(there: There) -> Json:
    subject = next(iter(there.schemas))
    return {
        "profile_id": there.customers.merged[0],
        "merge_log_id": there.merges[0],
        "review_id": there.reviews[0],
        "constraint_id": there.constraints[-1],
        "webhook_id": there.webhook,
        "delivery_id": there.deliveries[0],
        "dead_letter_id": there.letters[0],
        "subject": subject,
        "version": "latest",
        "schema_id": there.schema_id,
        "If-Match": "*",  # the tag of the document's example is nobody's
    }


def _of_operation(there: There) -> dict[str, Json]:
    """Where each operation needs one of its own, as it uses it up."""
    acts = ("approve", "reject", "assign", "skip")
    rehearsed = {**_WHY, "dry_run": True}
    return {
        **{
            f"POST /v1/reviews/{{review_id}}/{act}": {"review_id": there.reviews[n]}
            for n, act in enumerate(acts)
        },
        "GET /v1/profiles/{profile_id}/summary": {"profile_id": there.asked},
        "GET /v1/profiles/{profile_id}/relationships": {"profile_id": there.customers.neighbour},
        "GET /v1/steward-actions": {"act": "approve"},
        "GET /v1/audit": {"action": "steward.approve"},
        "GET /v1/constraints": {"kind": "must_link", "profile_id": there.customers.bare[0]},
        "GET /v1/profiles": {"email": "anna0@postbox.io"},
        "GET /v1/profiles/{profile_id}/history": {"as_of": datetime.now(UTC).isoformat()},
        "GET /v1/profiles/{profile_id}/explain": {"with": there.customers.bare[0]},
        "GET /v1/profiles/{profile_id}/timeline": {"only": "events", "limit": 1},
        "GET /v1/changes": {"seconds": 0.05},
        "PATCH /v1/dead-letters/{dead_letter_id}": {"dead_letter_id": there.letters[1]},
        "POST /v1/dead-letters/{dead_letter_id}/drop": {"dead_letter_id": there.letters[2]},
        "POST /v1/dead-letters/{dead_letter_id}/replay": {"dead_letter_id": there.mended},
        "POST /v1/profiles/{profile_id}/split": {"profile_id": there.customers.merged[2]},
        "DELETE /v1/webhooks/{webhook_id}": {"webhook_id": there.spares[0]},
        "DELETE /v1/profiles/{profile_id}": {**rehearsed, "profile_id": there.customers.forgettable[0]},
        "GET /v1/profiles/{profile_id}/erasure": {"profile_id": there.forgotten},
    }


def _bodies(there: There) -> dict[str, Json]:
    schema: Json = {"schema": next(iter(there.schemas.values()))}
    rehearsed: Json = {**_WHY, "dry_run": True}
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    answers = [{"review_id": there.reviews[5]}]
    return {
        "POST /v1/reviews/{review_id}/approve": _WHY,
        "POST /v1/reviews/{review_id}/reject": _WHY,
        "POST /v1/reviews/{review_id}/assign": {"assigned_to": "ann"},
        "POST /v1/reviews/{review_id}/skip": {**_WHY, "until": tomorrow},
        "POST /v1/profiles:merge": {**_WHY, "profiles": [*there.customers.bare[2:]]},
        "POST /v1/profiles/{profile_id}/split": {**rehearsed, "records": [there.record]},
        "POST /v1/profiles:search": {"filter": {"source": "web"}},
        "POST /v1/merge-logs/{merge_log_id}/rollback": rehearsed,
        "POST /v1/constraints/{constraint_id}/revoke": rehearsed,
        "POST /v1/merge-logs:rollback": {**rehearsed, "since": "2020-01-01T00:00:00Z"},
        "POST /v1/reviews:answer": {**_WHY, "answer": "rejected", "reviews": answers},
        "PATCH /v1/dead-letters/{dead_letter_id}": {"set": {"identifiers.phone": "+14155552671"}},
        "POST /v1/dead-letters/{dead_letter_id}/drop": _WHY,
        "POST /v1/dead-letters:drop": {**rehearsed, "choose": {}},
        "POST /v1/dead-letters:replay": {**rehearsed, "choose": {}},
        "POST /v1/webhooks": {"url": there.receiver},
        "PATCH /v1/webhooks/{webhook_id}": {"url": there.receiver, "enabled": True},
        "POST /v1/webhooks/{webhook_id}:rotate": {"overlap_hours": 1},
        "POST /v1/webhooks/{webhook_id}/deliveries:replay": {"dry_run": True},
        "POST /v1/dead-letters/{dead_letter_id}/replay": _WHY,
        "POST /subjects/{subject}": schema,
        "POST /subjects/{subject}/versions": schema,
    }
