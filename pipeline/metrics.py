"""Every metric, declared once. Labels are bounded: names of stages, topics, reasons; never an id.

Each room has its section; add a metric here and import it where it is observed.
"""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from pipeline.settings import Settings

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

# ── gateway ───────────────────────────────────────────────────────────────────────────────────────────────
HTTP_SECONDS = Histogram(
    "rb_http_request_seconds",
    "Time to answer a request, by route and class of status.",
    ("method", "route", "status"),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
HTTP_UNDER_WAY_BYTES = Gauge(
    "rb_http_under_way_bytes",
    "Held by requests to the API that are not answered yet: 4 KiB each, or what came of the body.",
)
HTTP_REFUSED = Counter(
    "rb_http_refused_total",
    "Requests refused for who sent them: unknown_key, keys_away, scope, or the quota key, address or refused.",
    ("cause",),
)
EVENTS_TAKEN = Counter("rb_gateway_events_total", "Events over HTTP, by outcome.", ("outcome",))
PRODUCE_SECONDS = Histogram(
    "rb_gateway_produce_seconds", "From producing a request's events to the last ack."
)
PROFILE_READS = Counter(
    "rb_gateway_profile_reads_total", "Profiles read, by where their state was.", ("place",)
)

FEED_SUBSCRIBERS = Gauge("rb_feed_subscribers", "Subscribers of the change feed")
FEED_CHANGES = Counter("rb_feed_changes_total", "Changes sent to subscribers, by type.", ["type"])
FEED_ENDED = Counter(
    "rb_feed_ended_total",
    "Streams of changes that we ended: shutdown, seconds, key_revoked, position_gone, unavailable, not_reading.",
    ["reason"],
)

# ── stages ────────────────────────────────────────────────────────────────────────────────────────────────

BATCH_MESSAGES = Histogram(
    "rb_batch_messages", "Messages in a batch", ["stage"], buckets=(1, 5, 20, 50, 100, 200, 500, 1_000, 5_000)
)
STEP_SECONDS = Histogram(
    "rb_step_seconds", "Seconds a step of a stage takes for one batch", ["stage", "step"], buckets=_SECONDS
)
LAG_MESSAGES = Gauge("rb_lag_messages", "Messages not yet handled", ["stage", "topic", "partition"])
RETRIES = Counter("rb_retries", "Batches tried again, by the error that caused it", ["stage", "cause"])
DEAD_LETTERS = Counter("rb_dead_letters", "Messages made dead letters, by reason code", ["stage", "reason"])
DEAD_LETTERS_WAITING = Gauge(
    "rb_dead_letters_waiting", "Dead letters that nobody replayed or dropped yet", ["stage", "reason"]
)
STAGE_PAUSED = Gauge(
    "rb_stage_paused", "1 while a stage handles nothing until somebody resumes it", ["stage"]
)
POSITIONS_LOST = Counter(
    "rb_positions_lost", "Stored positions that were not in the log any more", ["stage", "topic"]
)


def forget_lag(stage: str, topic: str, partition: int) -> None:
    """Stop reporting the lag of a partition that another worker reads now."""
    with suppress(KeyError):
        LAG_MESSAGES.remove(stage, topic, str(partition))


# ── resolve ───────────────────────────────────────────────────────────────────────────────────────────────
EVENTS_RESOLVED = Counter(
    "rb_events_resolved_total", "Events linked, created, merged or kept without identity."
)
ACCEPTED_TO_COMMITTED = Histogram(
    "rb_accepted_to_committed_seconds",
    "From the gateway's acceptance of an event to the end of its transaction.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
DECISIONS = Counter("rb_decisions_total", "Decisions by kind and reason code.", ["decision", "reason"])
COMPARISONS = Counter("rb_comparisons_total", "Pairs of records compared.")
KEYS_SKIPPED = Counter("rb_match_keys_skipped_total", "Over-full match keys skipped, by kind.", ["kind"])
KEYS_WORN = Counter(
    "rb_match_keys_worn_total",
    "Match keys that crossed a limit, by kind (of an identifier its type), reason code and step (4: over-full).",
    ["kind", "reason", "step"],
)
EVIDENCE_DROPPED = Counter(
    "rb_evidence_dropped_total", "Pairs whose evidence no longer held when a match key crossed a limit."
)
REVIEW_CHANGES = Counter("rb_review_changes_total", "Reviews that came, changed or became obsolete.")

# ── store and outbox ──────────────────────────────────────────────────────────────────────────────────────

OUTBOX_ROWS = Gauge("rb_outbox_rows", "Committed rows of the outbox that are not yet published")
OUTBOX_AGE_SECONDS = Gauge("rb_outbox_age_seconds", "Age of the oldest row in the outbox")
PUBLISHED = Counter("rb_published", "Messages acknowledged by the broker", ["topic"])

# ── audit log ─────────────────────────────────────────────────────────────────────────────────────────────
AUDIT_UNCHAINED = Gauge("rb_audit_unchained", "Audit entries that wait to be chained")
AUDIT_UNCHAINED_SECONDS = Gauge(
    "rb_audit_unchained_seconds", "For how long the oldest audit entry waits to be chained"
)
AUDIT_CHAINED = Counter("rb_audit_chained_total", "Audit entries that were chained.")
AUDIT_BROKEN = Counter(
    "rb_audit_broken_total", "How often the chain was found not to hold what was signed in this process."
)
AUDIT_WRITE_SECONDS = Histogram(
    "rb_audit_write_seconds",
    "How long what is to be shown waits until it is told in the audit log.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


# ── consumers ─────────────────────────────────────────────────────────────────────────────────────────────
INSIGHTS_LATE = Counter(
    "rb_insights_late", "Events older than the panes that are kept, by length of pane in seconds", ["pane_s"]
)


# ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────
WEBHOOKS = Gauge("rb_webhooks", "Webhooks: enabled, failing, or disabled by the house", ["state"])
WEBHOOK_ATTEMPTS = Counter(
    "rb_webhook_attempts_total", "Attempts to deliver: delivered, failed (tried again) or dead.", ["outcome"]
)
WEBHOOK_SECONDS = Histogram("rb_webhook_seconds", "Time that an attempt took.", buckets=_SECONDS)
WEBHOOK_DEAD = Gauge("rb_webhook_dead", "Dead deliveries that nobody replayed yet")
WEBHOOK_FAILING_SECONDS = Gauge(
    "rb_webhook_failing_seconds", "For how long the oldest delivery that fails is being tried"
)


def serve(settings: Settings) -> None:
    """Serve this process's metrics at `settings.metrics_port` in the background; 0 serves none."""
    if settings.metrics_port > 0:
        start_http_server(settings.metrics_port, addr=settings.metrics_host)
