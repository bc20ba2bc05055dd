"""Webhooks as text for people; JSON of the same is `as_data`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.changes.wanted import Wanted
from pipeline.store.webhooks import Delivery, Webhook
from pipeline.webhooks.desk import Added
from pipeline.webhooks.trial import Tried


def listed(webhooks: Sequence[Webhook], total: int) -> str:
    """A few lines a webhook, ending with a line break."""
    if not webhooks:
        return "There is no webhook. `retail-brain webhooks add URL` adds one.\n"
    lines = [line for webhook in webhooks for line in _lines(webhook)]
    if more := total - len(webhooks):
        lines.append(f"{more} more: raise --limit to see them.")
    return "\n".join(lines) + "\n"


def _lines(webhook: Webhook) -> Iterator[str]:
    everything = set(webhook.types) == set(Wanted().types)
    yield f"{webhook.webhook_id}  {webhook.url}"
    yield f"  {'all types' if everything else ', '.join(webhook.types)}"
    yield f"  added {webhook.created_at:%Y-%m-%d %H:%M} by {webhook.created_by}" + (
        f": {webhook.description}" if webhook.description else ""
    )
    if not webhook.enabled:
        since = f"{webhook.disabled_at:%Y-%m-%d %H:%M}" if webhook.disabled_at else "long ago"
        yield f"  DISABLED since {since}: {webhook.disabled_reason or 'somebody did'}"
    if webhook.dead:
        yield f"  {webhook.dead} dead: `retail-brain webhooks replay {webhook.webhook_id} --dead` sends them again"


def keyed(added: Added) -> str:
    """A webhook and its secret, ending with a line break."""
    until = added.webhook.previous_until
    lines = [*_lines(added.webhook), f"Secret, shown this once: {added.secret}"]
    if until is not None:
        lines.append(f"Until {until:%Y-%m-%d %H:%M} UTC what is sent is signed by the one before, too.")
    return "\n".join(lines) + "\n"


def tried(result: Tried) -> str:
    """What became of a test message, ending with a line break."""
    outcome = f"accepted (HTTP {result.http_status})" if result.accepted else f"failed: {result.error}"
    return f"{outcome}, after {result.seconds:.2f} s\n"


def sent(deliveries: Sequence[Delivery], total: int) -> str:
    """A line a delivery, ending with a line break."""
    if not deliveries:
        return "Nothing is so.\n"
    lines = [
        f"{one.delivery_id}  {one.last_at:%Y-%m-%d %H:%M:%S}  {one.status:9}  {one.type:20}  {one.change_id}"
        + (f"  ({one.attempts} attempts; {one.error})" if one.error else "")
        for one in deliveries
    ]
    if more := total - len(deliveries):
        lines.append(f"{more} more: raise --limit to see them.")
    return "\n".join(lines) + "\n"
