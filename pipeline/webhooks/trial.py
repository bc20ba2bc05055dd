"""A test message: one attempt, at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from pipeline.identity.ids import Id
from pipeline.settings import Settings
from pipeline.webhooks.keyed import Keyed
from pipeline.webhooks.sending import Sender
from pipeline.webhooks.signing import signed
from pipeline.webhooks.targets import target_of

TYPE = "webhook.test"


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of it. Nothing of what the answer held is kept."""

    accepted: bool
    http_status: int | None
    error: str | None
    seconds: float


async def send_test(keyed: Keyed, settings: Settings, new_id: Id) -> Tried:
    """Send one of type `webhook.test`, signed as all others. Raises BadInput where the URL is of no allowed form."""
    private, now, message_id = settings.webhook_allow_private, datetime.now(UTC), f"test-{new_id}"
    content = {
        "id": message_id,
        "type": TYPE,
        "timestamp": now,
        "profile_id": None,
        "version": None,
        "data": None,
    }
    body = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    names = ThreadPoolExecutor(1, "test")
    timeout_s = settings.webhook_timeout_ms / 1_000
    sender = Sender(
        target_of(keyed.url, allow_private=private), names, timeout_s=timeout_s, allow_private=private
    )
    started = time.perf_counter()
    outcome = await sender.post(body, signed(message_id, int(now.timestamp()), body, keyed.keys(now)))
    took = time.perf_counter() - started
    await sender.close()
    names.shutdown(wait=False)  # a look-up that hangs is not waited for
    return Tried(outcome.accepted, outcome.status, outcome.error, took)
