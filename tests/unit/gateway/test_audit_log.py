"""Entries of reads are written together, and whoever waits learns whether theirs was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from gateway import audit_log
from gateway.audit_log import MOST_TOGETHER, AuditLog
from pipeline.audit.entry import AuditEntry
from pipeline.errors import AuditUnavailable, StoreUnavailable
from tests.support.audit import told


class Written:
    """Keeps what is written, once it may go on; `fails` is raised instead."""

    def __init__(self) -> None:
        self.batches: list[list[object]] = []
        self.fails: Exception | None = None
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.closed = False

    async def __call__(self, entries: Sequence[AuditEntry]) -> None:
        await self.goes_on.wait()
        if self.fails is not None:
            raise self.fails
        self.batches.append([entry.details["number"] for entry in entries])

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def written() -> Written:
    return Written()


@pytest_asyncio.fixture
async def log(written: Written) -> AsyncIterator[AuditLog]:
    opened = AuditLog(written)
    yield opened
    await opened.close()
    assert written.closed


async def test_those_that_wait_at_a_moment_are_written_together(log: AuditLog, written: Written) -> None:
    written.goes_on.clear()
    first = asyncio.create_task(log.tell(told(0)))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(log.tell(told(n))) for n in range(1, MOST_TOGETHER + 11)]
    await asyncio.sleep(0)
    written.goes_on.set()
    await asyncio.gather(first, *rest)
    assert [len(batch) for batch in written.batches] == [1, MOST_TOGETHER, 10]
    assert [n for batch in written.batches for n in batch] == list(range(MOST_TOGETHER + 11))


async def test_what_is_not_written_is_refused_and_the_next_is_tried_anew(
    log: AuditLog, written: Written
) -> None:
    for cause in (StoreUnavailable("away"), RuntimeError("never foreseen")):
        written.fails = cause
        refused = await asyncio.gather(log.tell(told(1)), log.tell(told(2)), return_exceptions=True)
        assert [type(exc) for exc in refused] == [AuditUnavailable] * 2
    written.fails = None
    await log.tell(told(3))
    assert written.batches == [[3]]


async def test_what_was_given_up_is_not_told(
    log: AuditLog, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who got 503 was shown nothing."""
    written.goes_on.clear()
    going = asyncio.create_task(log.tell(told(1)))
    for _ in range(2):  # it asks, and is under way
        await asyncio.sleep(0)
    with monkeypatch.context() as hasty:
        hasty.setattr(audit_log, "_PATIENCE_S", 0.0)
        with pytest.raises(AuditUnavailable):
            await log.tell(told(2))
    stays = asyncio.create_task(log.tell(told(3)))
    await asyncio.sleep(0)
    written.goes_on.set()
    await asyncio.gather(going, stays)
    assert written.batches == [[1], [3]]


async def test_no_more_wait_than_are_told_in_time(
    log: AuditLog, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MOST_WAITING", 2)
    written.goes_on.clear()
    waiting = [asyncio.create_task(log.tell(told(n))) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(AuditUnavailable, match="2 others wait"):
        await log.tell(told(4))
    written.goes_on.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(r) for r in results].count(AuditUnavailable) == 1


async def test_what_waits_is_written_before_it_ends(log: AuditLog, written: Written) -> None:
    written.goes_on.clear()
    waiting = asyncio.create_task(log.tell(told(1)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(log.close())
    await asyncio.sleep(0)
    assert not written.closed
    written.goes_on.set()
    await asyncio.gather(waiting, closing)
    assert written.batches == [[1]]
