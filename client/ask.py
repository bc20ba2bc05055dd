"""What can be asked of the gateway: each function makes a `Call`, whose result `RetailBrain.ask` returns.

The answers are the models that the gateway itself answers with; docs at `/docs` on the gateway. Every write that
does not name itself by an `event_id` carries an Idempotency-Key, `once` or one of its own, so that it is done once
however often it is tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeVar
from uuid import UUID, uuid4

import orjson
from pydantic import BaseModel

from client.call import Call
from gateway.audit import AuditPage
from gateway.constraint_models import Constraint, Constraints, Revoked
from gateway.customer_models import (
    EventsPage,
    Identifiers,
    PastProfile,
    Relationships,
    Similar,
    Summary,
    Timeline,
    WholeProfile,
)
from gateway.explanations import PairExplained, ProfileExplained
from gateway.models import (
    Accepted,
    BatchAccepted,
    LiveInsights,
    MergeLog,
    MergeLogDetail,
    Page,
    Recommendations,
)
from gateway.review_models import Answered, AnsweredMany, Review
from gateway.search_models import SearchResults
from gateway.steward_actions import StewardAction
from gateway.unmerge_models import Joined, Unmerged

Model = TypeVar("Model", bound=BaseModel)
Ident = UUID | str


def send_event(
    event: Mapping[str, object], *, wait_s: int | None = None, lenient: bool = False, once: str | None = None
) -> Call[Accepted]:
    """Send one event. With `wait_s` its `profile_id` is told if it is resolved by then. `once` is an Idempotency-Key;
    `lenient` keeps an event without the values that cannot be used."""
    headers = {**_preferring(lenient, wait_s), **(_once(once) if once or not _is_named(event) else {})}
    return _post("/v1/events", event, Accepted, headers)


def send_events(
    events: Sequence[object], *, lenient: bool = False, once: str | None = None
) -> Call[BatchAccepted]:
    """Send up to 1,000 events, each taken or refused on its own: look at every result."""
    if once is None and not all(map(_is_named, events)):
        once = str(uuid4())
    return send_batch(batch_body(events), lenient=lenient, once=once)


def batch_body(events: Sequence[object]) -> bytes:
    """The body of `send_batch`, to be made beforehand."""
    return orjson.dumps({"events": events})


def send_batch(body: bytes, *, lenient: bool = False, once: str | None = None) -> Call[BatchAccepted]:
    """`send_events` of a `batch_body`, whose events are named by their `event_id` unless `once` is given."""
    headers = {**_preferring(lenient), **({} if once is None else _once(once))}
    return Call("POST", "/v1/events:batch", BatchAccepted.model_validate_json, body=body, headers=headers)


def profile(
    profile_id: Ident, *, fresh: bool = False, reveal: bool = False, with_summary: bool = False
) -> Call[WholeProfile]:
    """One customer; `fresh` as it is committed, not as it is cached; `reveal` unmasked, for keys that may see it;
    `with_summary` in figures too."""
    path, headers = f"/v1/profiles/{_id(profile_id)}", {"Cache-Control": "no-cache"} if fresh else {}
    query = {"reveal": reveal, "include": "summary" if with_summary else None}
    return Call("GET", path, WholeProfile.model_validate_json, query=query, headers=headers)


def events(profile_id: Ident, *, page: int = 1, limit: int = 20) -> Call[EventsPage]:
    """A customer's events, newest first."""
    return _get(f"/v1/profiles/{_id(profile_id)}/events", EventsPage, page=page, limit=limit)


def summary(profile_id: Ident) -> Call[Summary]:
    """A customer in figures: what it spent, how often, where, and how that compares."""
    return _get(f"/v1/profiles/{_id(profile_id)}/summary", Summary)


def timeline(
    profile_id: Ident,
    *,
    only: Literal["events", "decisions", "actions"] | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Call[Timeline]:
    """What happened to a customer, newest first: `only` of a kind, behind the `cursor` of the page before."""
    path = f"/v1/profiles/{_id(profile_id)}/timeline"
    return _get(path, Timeline, only=only, cursor=cursor, limit=limit)


def identifiers(profile_id: Ident, *, reveal: bool = False) -> Call[Identifiers]:
    """What names a customer, and how that came; `reveal` as it is, for keys that may see it."""
    return _get(f"/v1/profiles/{_id(profile_id)}/identifiers", Identifiers, reveal=reveal)


def history(profile_id: Ident, as_of: datetime, *, reveal: bool = False) -> Call[PastProfile]:
    """A customer as it stood at a moment, which needs a time zone."""
    path = f"/v1/profiles/{_id(profile_id)}/history"
    return _get(path, PastProfile, as_of=as_of.isoformat(), reveal=reveal)


def relationships(profile_id: Ident) -> Call[Relationships]:
    """Whom a customer shares a home, a phone or a card with."""
    return _get(f"/v1/profiles/{_id(profile_id)}/relationships", Relationships)


def similar(profile_id: Ident, *, limit: int = 10) -> Call[Similar]:
    """Who buys alike, and what both buy."""
    return _get(f"/v1/profiles/{_id(profile_id)}/similar", Similar, limit=limit)


def search(
    *,
    identifiers: Mapping[str, object] | None = None,
    person: Mapping[str, str] | None = None,
    where: Mapping[str, object] | None = None,
    min_score: float = 0.0,
    limit: int = 20,
    cursor: str | None = None,
    reveal: bool = False,
) -> Call[SearchResults]:
    """Customers that hold these identifiers, are like this person (ranked), and of whom this is true. What is sought is
    in the body, which no log of requests holds."""
    given = {"identifiers": identifiers, "person": person, "filter": where, "cursor": cursor}
    body = {name: value for name, value in given.items() if value is not None}
    return Call(
        "POST",
        "/v1/profiles:search",
        SearchResults.model_validate_json,
        query={"reveal": reveal},
        body=orjson.dumps({**body, "min_score": min_score, "limit": limit}),
    )


def why(profile_id: Ident) -> Call[ProfileExplained]:
    """What holds a customer together."""
    return _get(f"/v1/profiles/{_id(profile_id)}/explain", ProfileExplained)


def why_with(profile_id: Ident, other: Ident) -> Call[PairExplained]:
    """Why a customer and another profile or record are one, or not."""
    return _get(f"/v1/profiles/{_id(profile_id)}/explain", PairExplained, **{"with": _id(other)})


def recommendations(profile_id: Ident, *, limit: int = 10) -> Call[Recommendations]:
    """What a customer may like."""
    return _get(f"/v1/recommendations/{_id(profile_id)}", Recommendations, limit=limit)


def insights(
    window: str = "minute", *, channel: str | None = None, store: str | None = None, last: int = 1
) -> Call[LiveInsights]:
    """Figures of the last windows."""
    return _get("/v1/insights/live", LiveInsights, window=window, channel=channel, store=store, last=last)


def merge_logs(
    *,
    profile_id: Ident | None = None,
    kind: Literal["merged", "split", "rolled_back"] | None = None,
    rolled_back: bool | None = None,
    page: int = 1,
    limit: int = 20,
) -> Call[Page[MergeLog]]:
    """Merges, splits and rollbacks, newest first."""
    chosen = {"profile_id": None if profile_id is None else _id(profile_id), "rolled_back": rolled_back}
    return _get("/v1/merge-logs", Page[MergeLog], kind=kind, page=page, limit=limit, **chosen)


def merge_log(merge_log_id: Ident) -> Call[MergeLogDetail]:
    """One of them, with both profiles as they stood before."""
    return _get(f"/v1/merge-logs/{_id(merge_log_id)}", MergeLogDetail)


def rollback(
    merge_log_id: Ident,
    reason: str,
    *,
    dry_run: bool = False,
    plan: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Unmerged]:
    """Undo a merge; a dry run names the `plan` that makes sure that just that is done."""
    path, body = (
        f"/v1/merge-logs/{_id(merge_log_id)}/rollback",
        {"reason": reason, "dry_run": dry_run, "actor": actor},
    )
    return _post(path, {**body, "plan": plan}, Unmerged, _once(once))


def split(
    profile_id: Ident,
    reason: str,
    *,
    records: Sequence[Ident] = (),
    events: Sequence[Ident] = (),
    dry_run: bool = False,
    plan: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Unmerged]:
    """Take records, or those that events speak of, out of a profile."""
    body = {
        "reason": reason,
        "records": [_id(r) for r in records],
        "events": [_id(e) for e in events],
        "dry_run": dry_run,
        "plan": plan,
        "actor": actor,
    }
    path = f"/v1/profiles/{_id(profile_id)}/split"
    return _post(path, body, Unmerged, _once(once))


def join(
    profiles: Sequence[Ident],
    reason: str,
    *,
    dry_run: bool = False,
    plan: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Joined]:
    """Make 2 to 10 profiles one customer; a dry run names the `plan` that makes sure that just that is done."""
    body = {"profiles": [_id(p) for p in profiles], "reason": reason, "dry_run": dry_run, "plan": plan}
    return _post("/v1/profiles:merge", {**body, "actor": actor}, Joined, headers=_written(once))


def steward_actions(
    *,
    actor: str | None = None,
    act: str | None = None,
    profile_id: Ident | None = None,
    review_id: Ident | None = None,
    since: datetime | None = None,
    page: int = 1,
    limit: int = 20,
) -> Call[Page[StewardAction]]:
    """What stewards did, newest first; `since` has a time zone."""
    chosen = {
        "actor": actor,
        "act": act,
        "profile_id": None if profile_id is None else _id(profile_id),
        "review_id": None if review_id is None else _id(review_id),
        "since": None if since is None else since.isoformat(),
    }
    return _get("/v1/steward-actions", Page[StewardAction], page=page, limit=limit, **chosen)


def audit(
    *,
    actor: str | None = None,
    action: str | None = None,
    about: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Call[AuditPage]:
    """The audit log, newest first: what an actor did, of an action, `about` an id; times have a time zone."""
    chosen = {
        "actor": actor,
        "action": action,
        "about": about,
        "since": None if since is None else since.isoformat(),
        "until": None if until is None else until.isoformat(),
    }
    return _get("/v1/audit", AuditPage, cursor=cursor, limit=limit, **chosen)


def reviews(
    *,
    status: str = "pending",
    kind: Literal["merge", "split"] | None = None,
    assigned_to: str | None = None,
    unassigned: bool = False,
    reason: str | None = None,
    profile_id: Ident | None = None,
    min_score: float | None = None,
    max_score: float | None = None,
    skipped: Literal["exclude", "include", "only"] = "exclude",
    page: int = 1,
    limit: int = 20,
) -> Call[Page[Review]]:
    """What waits for a steward, the likeliest first; those put aside only where `skipped` says so."""
    chosen = {
        "status": status,
        "kind": kind,
        "assigned_to": assigned_to,
        "unassigned": unassigned,
        "reason": reason,
        "profile_id": None if profile_id is None else _id(profile_id),
        "min_score": min_score,
        "max_score": max_score,
        "skipped": skipped,
    }
    return _get("/v1/reviews", Page[Review], page=page, limit=limit, **chosen)


def review(review_id: Ident) -> Call[Review]:
    """One of them."""
    return _get(f"/v1/reviews/{_id(review_id)}", Review)


def approve(
    review_id: Ident,
    reason: str,
    *,
    etag: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Answered]:
    """Do what a review asks; with the `etag` of what was read only if it is still that."""
    return _answer(review_id, "approve", {"reason": reason, "actor": actor}, _written(once, etag))


def reject(
    review_id: Ident,
    reason: str,
    *,
    etag: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Answered]:
    """Never do what a review asks; with the `etag` of what was read only if it is still that."""
    return _answer(review_id, "reject", {"reason": reason, "actor": actor}, _written(once, etag))


def _answer(review_id: Ident, answer: str, body: object, headers: Mapping[str, str]) -> Call[Answered]:
    return _post(f"/v1/reviews/{_id(review_id)}/{answer}", body, Answered, headers=headers)


def answer_reviews(
    answer: Literal["approved", "rejected"],
    reason: str,
    reviews: Mapping[Ident, str | None],
    *,
    actor: str | None = None,
    once: str | None = None,
) -> Call[AnsweredMany]:
    """Answer up to 100 reviews alike, each with the ETag it was read with or None: look at every result."""
    asked = [{"review_id": _id(review), "etag": etag} for review, etag in reviews.items()]
    body = {"answer": answer, "reason": reason, "reviews": asked, "actor": actor}
    return _post("/v1/reviews:answer", body, AnsweredMany, headers=_written(once))


def assign(
    review_id: Ident,
    assigned_to: str | None,
    *,
    reason: str | None = None,
    etag: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Review]:
    """Give a review to a steward, or to nobody (None); what is somebody else's only with its `etag`."""
    body = {"assigned_to": assigned_to, "reason": reason, "actor": actor}
    return _post(f"/v1/reviews/{_id(review_id)}/assign", body, Review, headers=_written(once, etag))


def skip(
    review_id: Ident,
    until: datetime,
    reason: str,
    *,
    etag: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Review]:
    """Put a review aside until a moment, which has a time zone."""
    body = {"until": until, "reason": reason, "actor": actor}
    return _post(f"/v1/reviews/{_id(review_id)}/skip", body, Review, headers=_written(once, etag))


def constraints(
    *,
    profile_id: Ident | None = None,
    kind: Literal["must_link", "cannot_link"] | None = None,
    actor: str | None = None,
    review_id: Ident | None = None,
    revoked: bool | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Call[Constraints]:
    """What stewards said of records, the newest first, behind the `cursor` of the page before."""
    chosen = {
        "profile_id": None if profile_id is None else _id(profile_id),
        "kind": kind,
        "actor": actor,
        "review_id": None if review_id is None else _id(review_id),
        "revoked": revoked,
    }
    return _get("/v1/constraints", Constraints, cursor=cursor, limit=limit, **chosen)


def constraint(constraint_id: Ident) -> Call[Constraint]:
    """One of them."""
    return _get(f"/v1/constraints/{_id(constraint_id)}", Constraint)


def revoke(
    constraint_id: Ident,
    reason: str,
    *,
    dry_run: bool = False,
    plan: str | None = None,
    etag: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Revoked]:
    """Take a constraint back, or the answer to a review that it is part of; a dry run names the `plan` that makes sure
    that just that is done."""
    body = {"reason": reason, "dry_run": dry_run, "plan": plan, "actor": actor}
    return _post(f"/v1/constraints/{_id(constraint_id)}/revoke", body, Revoked, headers=_written(once, etag))


def _id(given: Ident) -> str:
    """Raises ValueError where it is no UUID: it goes into a path."""
    return str(given if isinstance(given, UUID) else UUID(given))


def _is_named(event: object) -> bool:
    """Whether the same event sent again is known to be the same."""
    return isinstance(event, Mapping) and event.get("event_id") is not None


def _preferring(lenient: bool, wait_s: int | None = None) -> dict[str, str]:
    preferred = [f"wait={wait_s}"] if wait_s is not None else []
    preferred += ["handling=lenient"] if lenient else []
    return {"Prefer": ", ".join(preferred)} if preferred else {}


def _once(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4()) if key is None else key}


def _written(once: str | None, etag: str | None = None) -> dict[str, str]:
    """The headers of a steward's act."""
    return {**_once(once), **({"If-Match": etag} if etag is not None else {})}


def _get(path: str, model: type[Model], **query: str | int | float | bool | None) -> Call[Model]:
    return Call("GET", path, model.model_validate_json, query=query)


def _post(path: str, body: object, model: type[Model], headers: Mapping[str, str]) -> Call[Model]:
    return Call("POST", path, model.model_validate_json, body=orjson.dumps(body), headers=headers)
