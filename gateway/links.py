"""Links of the OpenAPI document: what may be asked next with what an answer holds. Declared beside its route:

    @router.get("/reviews", responses={**leading_to({"first": link("get_review", ...)}), **errors(400, 503)})

A link names an operation by the function that answers it, and its parameters by runtime expressions
(https://spec.openapis.org/oas/v3.1.1.html#runtime-expressions); one that finds nothing leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.documentation import Responses

Link = Mapping[str, object]
Links = Mapping[str, Link]

_OF_PROFILE = {
    "profile": ("get_profile", "The customer."),
    "summary": ("get_summary", "The customer in figures."),
    "timeline": ("get_timeline", "What happened to the customer."),
    "events": ("get_events", "Its events."),
    "consent": ("get_consent", "What its data may be used for."),
    "identifiers": ("get_identifiers", "Its identifiers and their history."),
    "relationships": ("get_relationships", "Its household."),
    "similar": ("get_similar", "Who buys alike."),
    "explain": ("explain", "Why it is one customer."),
    "recommendations": ("get_recommendations", "What it may like."),
    "merge_logs": ("list_merge_logs", "The merges, splits and rollbacks it took part in."),
    "constraints": ("list_constraints", "What stewards said of its records."),
}


def leading_to(links: Links, *, status: int = 200, beside: Responses | None = None) -> Responses:
    """The answer of this status with these links, and what `beside` says of it."""
    return {status: {**(beside or {}).get(status, {}), "links": {**links}}}


def link(
    operation: str,
    told: str,
    parameters: Mapping[str, object] | None = None,
    body: Mapping[str, object] | None = None,
) -> Link:
    """To an operation, with these parameters and this body, whose texts that begin with `$` are expressions too."""
    found: dict[str, object] = {"operationId": operation, "description": told}
    if parameters:
        found["parameters"] = {**parameters}
    return found if body is None else {**found, "requestBody": {**body}}


def about(profile_id: str, *names: str) -> Links:
    """What can be asked of the profile whose id stands there: all, or what is named."""
    chosen = names or _OF_PROFILE.keys()
    return {name: link(*_OF_PROFILE[name], {"profile_id": profile_id}) for name in chosen}


def undoing(merge_log_id: str) -> Links:
    """What can be asked of an entry of the merge log, and its rollback rehearsed."""
    at = {"merge_log_id": merge_log_id}
    rehearsed = {"reason": "a rehearsal", "dry_run": True}
    return {
        "merge_log": link("get_merge_log", "The decision, with both profiles as they stood before.", at),
        "rehearse_rollback": link("post_rollback", "What undoing it would move.", at, rehearsed),
    }
