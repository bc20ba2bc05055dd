"""The call about the audit log: who did and saw what."""

from __future__ import annotations

from datetime import datetime

from client.call import Call
from client.calls.making import get, moment
from gateway.audit import AuditPage


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
        "since": moment(since),
        "until": moment(until),
    }
    return get("/v1/audit", AuditPage, cursor=cursor, limit=limit, **chosen)
