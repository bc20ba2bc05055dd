"""Calls about constraints: what stewards said of records, and taking it back."""

from __future__ import annotations

from typing import Literal

from client.call import Call
from client.calls.making import Ident, get, ident, maybe, post, written
from gateway.constraint_models import Constraint, Constraints, Revoked


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
        "profile_id": maybe(profile_id),
        "kind": kind,
        "actor": actor,
        "review_id": maybe(review_id),
        "revoked": revoked,
    }
    return get("/v1/constraints", Constraints, cursor=cursor, limit=limit, **chosen)


def constraint(constraint_id: Ident) -> Call[Constraint]:
    """One of them."""
    return get(f"/v1/constraints/{ident(constraint_id)}", Constraint)


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
    return post(f"/v1/constraints/{ident(constraint_id)}/revoke", body, Revoked, written(once, etag))
