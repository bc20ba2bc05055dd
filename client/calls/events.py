"""Calls that send events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import uuid4

import orjson

from client.call import Call
from client.calls.making import post, written
from gateway.models import Accepted, BatchAccepted


def send_event(
    event: Mapping[str, object], *, wait_s: int | None = None, lenient: bool = False, once: str | None = None
) -> Call[Accepted]:
    """Send one event. With `wait_s` its `profile_id` is told if it is resolved by then. `once` is an Idempotency-Key;
    `lenient` keeps an event without the values that cannot be used."""
    headers = {**_preferring(lenient, wait_s), **(written(once) if once or not _is_named(event) else {})}
    return post("/v1/events", event, Accepted, headers)


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
    headers = {**_preferring(lenient), **({} if once is None else written(once))}
    return Call("POST", "/v1/events:batch", BatchAccepted.model_validate_json, body=body, headers=headers)


def _is_named(event: object) -> bool:
    """Whether the same event sent again is known to be the same."""
    return isinstance(event, Mapping) and event.get("event_id") is not None


def _preferring(lenient: bool, wait_s: int | None = None) -> dict[str, str]:
    preferred = [f"wait={wait_s}"] if wait_s is not None else []
    preferred += ["handling=lenient"] if lenient else []
    return {"Prefer": ", ".join(preferred)} if preferred else {}
