"""Calls about merges: what was decided, undoing it, merging by hand, and what stewards did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from client.call import Call
from client.calls.making import Ident, get, ident, maybe, moment, post, written
from gateway.models import MergeLog, MergeLogDetail, Page
from gateway.steward_actions import StewardAction
from gateway.unmerge_models import Joined, Unmerged, UnmergedMany


def merge_logs(
    *,
    profile_id: Ident | None = None,
    kind: Literal["merged", "split", "rolled_back"] | None = None,
    rolled_back: bool | None = None,
    page: int = 1,
    limit: int = 20,
) -> Call[Page[MergeLog]]:
    """Merges, splits and rollbacks, newest first."""
    chosen = {"profile_id": maybe(profile_id), "rolled_back": rolled_back}
    return get("/v1/merge-logs", Page[MergeLog], kind=kind, page=page, limit=limit, **chosen)


def merge_log(merge_log_id: Ident) -> Call[MergeLogDetail]:
    """One of them, with both profiles as they stood before."""
    return get(f"/v1/merge-logs/{ident(merge_log_id)}", MergeLogDetail)


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
    body = {"reason": reason, "dry_run": dry_run, "plan": plan, "actor": actor}
    return post(f"/v1/merge-logs/{ident(merge_log_id)}/rollback", body, Unmerged, written(once))


def rollback_many(
    reason: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    policy_version: str | None = None,
    model_version: str | None = None,
    by: str | None = None,
    dry_run: bool = False,
    plan: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[UnmergedMany]:
    """Undo all merges of which every condition given holds, at least one: make a dry run, then send its `plan`.
    Without `by`, a steward, those that the pipeline decided by itself."""
    body = {
        "reason": reason,
        "since": since,
        "until": until,
        "policy_version": policy_version,
        "model_version": model_version,
        "by": by,
        "dry_run": dry_run,
        "plan": plan,
        "actor": actor,
    }
    return post("/v1/merge-logs:rollback", body, UnmergedMany, written(once))


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
        "records": [ident(r) for r in records],
        "events": [ident(e) for e in events],
        "dry_run": dry_run,
        "plan": plan,
        "actor": actor,
    }
    path = f"/v1/profiles/{ident(profile_id)}/split"
    return post(path, body, Unmerged, written(once))


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
    body = {"profiles": [ident(p) for p in profiles], "reason": reason, "dry_run": dry_run, "plan": plan}
    return post("/v1/profiles:merge", {**body, "actor": actor}, Joined, written(once))


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
        "profile_id": maybe(profile_id),
        "review_id": maybe(review_id),
        "since": moment(since),
    }
    return get("/v1/steward-actions", Page[StewardAction], page=page, limit=limit, **chosen)
