"""Masks, waiting, and the `Prefer` header."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

import pytest

from gateway.ingest import wait_of
from gateway.opening import mask
from gateway.waiters import Resolved, Waiters
from pipeline.errors import StoreUnavailable
from pipeline.identity.model import Identifier, IdentifierType


@pytest.mark.parametrize(
    ("kind", "value", "masked"),
    [
        (IdentifierType.EMAIL, "jane.doe@postbox.io", "j…@postbox.io"),
        (IdentifierType.PHONE, "+14155550132", "+14…32"),
        (IdentifierType.LOYALTY_ID, "LOY-1017", "LO…17"),
        (IdentifierType.LOYALTY_ID, "L1017", "L…7"),
        (IdentifierType.CRM_ID, "17", "…"),
    ],
)
def test_masks_show_little(kind: IdentifierType, value: str, masked: str) -> None:
    assert mask(Identifier(kind, value)) == masked


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=5", 5),
        ("respond-async, wait=10", 10),
        ('wait = "7"', 7),
        ("Wait=900000", 30),
        ("wait=", 0),
        ("await=5", 0),
        ("wait=5s", 0),
        ("", 0),
    ],
)
def test_prefer_wait(header: str, seconds: int) -> None:
    assert wait_of([header], 30) == seconds


class Commits:
    """A store in which events are committed by hand."""

    def __init__(self) -> None:
        self.done: dict[UUID, UUID | None] = {}
        self.calls = 0
        self.away = 0

    async def look_up(self, event_ids: Sequence[UUID]) -> Mapping[UUID, UUID | None]:
        self.calls += 1
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        return {e: self.done[e] for e in event_ids if e in self.done}


async def test_waiters_share_look_ups() -> None:
    commits = Commits()
    waiters = Waiters(commits.look_up)
    events = [uuid4() for _ in range(50)]
    waiting = [asyncio.create_task(waiters.wait(e, 5)) for e in [*events, *events]]
    await asyncio.sleep(0.1)
    commits.done = dict.fromkeys(events, events[0])
    assert await asyncio.gather(*waiting) == [Resolved(events[0])] * 100
    assert commits.calls < 20


async def test_waiting_ends_by_time_by_stop_and_survives_an_absent_store() -> None:
    commits = Commits()
    waiters = Waiters(commits.look_up)
    started = time.monotonic()
    assert await waiters.wait(uuid4(), 0.1) is None
    assert time.monotonic() - started < 1
    event = uuid4()
    commits.away, commits.done = 1, {event: None}
    assert await waiters.wait(event, 5) == Resolved(None)
    waiting = asyncio.create_task(waiters.wait(uuid4(), 60))
    await asyncio.sleep(0.05)
    waiters.stop()
    assert await waiting is None
    assert await waiters.wait(uuid4(), 60) is None
