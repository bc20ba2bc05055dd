"""What can be asked of the gateway: each function makes a `Call`, whose result `RetailBrain.ask` returns.

The answers are the models that the gateway itself answers with; docs at `/docs` on the gateway. Every write that
does not name itself by an `event_id` carries an Idempotency-Key, `once` or one of its own, so that it is done once
however often it is tried.
"""

from client.calls.audit import audit
from client.calls.constraints import constraint, constraints, revoke
from client.calls.customers import (
    consent,
    events,
    history,
    identifiers,
    insights,
    profile,
    recommendations,
    relationships,
    search,
    similar,
    summary,
    timeline,
    why,
    why_with,
)
from client.calls.dead_letters import (
    dead_letter,
    dead_letters,
    drop_dead_letter,
    drop_dead_letters,
    edit_dead_letter,
    replay_dead_letter,
    replay_dead_letters,
)
from client.calls.events import batch_body, send_batch, send_event, send_events
from client.calls.merges import (
    join,
    merge_log,
    merge_logs,
    rollback,
    rollback_many,
    split,
    steward_actions,
)
from client.calls.privacy import erase, erasure, export
from client.calls.reviews import answer_reviews, approve, assign, reject, review, reviews, skip
from client.calls.webhooks import (
    add_webhook,
    change_webhook,
    deliveries,
    delivery,
    remove_webhook,
    replay_deliveries,
    replay_delivery,
    rotate_webhook,
    try_webhook,
    webhook,
    webhooks,
)

__all__ = [
    "add_webhook",
    "answer_reviews",
    "approve",
    "assign",
    "audit",
    "batch_body",
    "change_webhook",
    "consent",
    "constraint",
    "constraints",
    "dead_letter",
    "dead_letters",
    "deliveries",
    "delivery",
    "drop_dead_letter",
    "drop_dead_letters",
    "edit_dead_letter",
    "erase",
    "erasure",
    "events",
    "export",
    "history",
    "identifiers",
    "insights",
    "join",
    "merge_log",
    "merge_logs",
    "profile",
    "recommendations",
    "reject",
    "relationships",
    "remove_webhook",
    "replay_dead_letter",
    "replay_dead_letters",
    "replay_deliveries",
    "replay_delivery",
    "review",
    "reviews",
    "revoke",
    "rollback",
    "rollback_many",
    "rotate_webhook",
    "search",
    "send_batch",
    "send_event",
    "send_events",
    "similar",
    "skip",
    "split",
    "steward_actions",
    "summary",
    "timeline",
    "try_webhook",
    "webhook",
    "webhooks",
    "why",
    "why_with",
]
