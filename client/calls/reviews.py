"""Calls about reviews: what waits for a steward, and what is done about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from client.call import Call
from client.calls.making import Ident, get, ident, maybe, post, written
from gateway.models import Page
from gateway.review_models import Answered, AnsweredMany, Review


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
        "profile_id": maybe(profile_id),
        "min_score": min_score,
        "max_score": max_score,
        "skipped": skipped,
    }
    return get("/v1/reviews", Page[Review], page=page, limit=limit, **chosen)


def review(review_id: Ident) -> Call[Review]:
    """One of them."""
    return get(f"/v1/reviews/{ident(review_id)}", Review)


def approve(
    review_id: Ident,
    reason: str,
    *,
    etag: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Answered]:
    """Do what a review asks; with the `etag` of what was read only if it is still that."""
    return _answer(review_id, "approve", {"reason": reason, "actor": actor}, written(once, etag))


def reject(
    review_id: Ident,
    reason: str,
    *,
    etag: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Answered]:
    """Never do what a review asks; with the `etag` of what was read only if it is still that."""
    return _answer(review_id, "reject", {"reason": reason, "actor": actor}, written(once, etag))


def answer_reviews(
    answer: Literal["approved", "rejected"],
    reason: str,
    reviews: Mapping[Ident, str | None],
    *,
    actor: str | None = None,
    once: str | None = None,
) -> Call[AnsweredMany]:
    """Answer up to 100 reviews alike, each with the ETag it was read with or None: look at every result."""
    asked = [{"review_id": ident(review), "etag": etag} for review, etag in reviews.items()]
    body = {"answer": answer, "reason": reason, "reviews": asked, "actor": actor}
    return post("/v1/reviews:answer", body, AnsweredMany, written(once))


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
    return post(f"/v1/reviews/{ident(review_id)}/assign", body, Review, written(once, etag))


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
    return post(f"/v1/reviews/{ident(review_id)}/skip", body, Review, written(once, etag))


def _answer(review_id: Ident, answer: str, body: object, headers: Mapping[str, str]) -> Call[Answered]:
    return post(f"/v1/reviews/{ident(review_id)}/{answer}", body, Answered, headers)
