"""How old the gateway's keys may be, by a clock of the test: revoked ones go, new ones come, Postgres may be away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.key_uses import KeyUses
from gateway.stored_keys import FRESH_S, NEWS_S, StoredKeys
from pipeline.api_keys.secret import hash_of
from pipeline.api_keys.stored import StoredKey
from pipeline.errors import StoreUnavailable
from tests.support.keys import ID, NOW, OTHER_SECRET, SECRET, stored_key

PATIENCE_S = 900.0
KEY = stored_key()


class Place:
    """Postgres with a table of keys, and a clock."""

    def __init__(self, *keys: StoredKey) -> None:
        self.keys: list[StoredKey] = [*keys]
        self.reads, self.now = 0, 1_000.0
        self.error: Exception | None = None
        self.hangs = asyncio.Event()
        self.hangs.set()
        self.known = StoredKeys(self.read, PATIENCE_S, lambda: self.now)

    async def find(self, key_id: str, secret: str = SECRET) -> StoredKey | None:
        return await self.known.find(key_id, lambda kept: kept.secret_hash == hash_of(secret.encode()))

    async def read(self) -> Sequence[StoredKey]:
        self.reads += 1
        await self.hangs.wait()
        if self.error is not None:
            raise self.error
        return [*self.keys]

    async def settled(self) -> None:
        if self.known._reading is not None:
            await asyncio.wait({self.known._reading})


async def test_a_revoked_key_is_refused_within_the_stated_time() -> None:
    place = Place(KEY)
    assert await place.find(ID) == KEY
    place.keys.clear()
    place.now += FRESH_S + 0.01
    assert await place.find(ID) is None, "the first request after that time has keys read before its answer"
    place.keys.append(KEY)
    place.now += 1
    assert await place.find(ID) == KEY
    place.keys.clear()
    for _ in range(50):  # requests that come all the time see it no later
        place.now += 0.1
        await place.find(ID)
        await place.settled()
    assert await place.find(ID) is None


async def test_a_key_in_use_waits_for_no_reading() -> None:
    place = Place(KEY)
    await place.find(ID)
    place.hangs.clear()
    place.now += FRESH_S - 0.01
    assert await asyncio.wait_for(place.find(ID), 0.5) == KEY
    place.hangs.set()
    await place.settled()
    assert place.reads == 2


async def test_a_new_key_works_soon_and_a_flood_of_unknown_ones_costs_little() -> None:
    place = Place()
    assert await place.find(ID) is None
    place.keys.append(KEY)
    assert await place.find(ID) is None
    place.now += NEWS_S + 0.01
    found = await asyncio.gather(*(place.find(f"{n:016x}") for n in range(500)), place.find(ID))
    assert found[-1] == KEY
    assert found[:-1] == [None] * 500
    assert place.reads == 2


async def test_a_rotated_secret_works_soon() -> None:
    place = Place(KEY)
    assert await place.find(ID) == KEY
    place.keys[:] = [stored_key(OTHER_SECRET)]
    place.now += NEWS_S + 0.01
    assert await place.find(ID, OTHER_SECRET) == place.keys[0]
    assert await place.find(ID, SECRET) is None


async def test_without_postgres_known_keys_open_for_a_while_and_unknown_ones_are_503() -> None:
    place = Place(KEY)
    await place.find(ID)
    place.error = StoreUnavailable("away")
    with capture_logs() as logs:
        for age in (FRESH_S + 1, 60.0, PATIENCE_S - 1):
            place.now = 1_000.0 + age
            assert await place.find(ID) == KEY
            with pytest.raises(StoreUnavailable):
                await place.find("f" * 16)
    assert [line["event"] for line in logs] == ["API keys cannot be read: those known open on"]
    place.now = 1_000.0 + PATIENCE_S + 1
    with pytest.raises(StoreUnavailable):
        await place.find(ID)
    place.error = None
    place.now += 2
    assert await place.find(ID) == KEY
    assert await place.find("f" * 16) is None


async def test_while_postgres_is_away_it_is_asked_once_a_second() -> None:
    place = Place(KEY)
    await place.find(ID)
    place.error = StoreUnavailable("away")
    place.now += FRESH_S + 1
    for _ in range(100):
        await place.find(ID)
        await place.settled()
    assert place.reads == 2


async def test_nobody_is_let_in_before_keys_were_read() -> None:
    place = Place(KEY)
    place.error = StoreUnavailable("away")
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await place.find(ID)


async def test_an_unforeseen_error_is_told_and_opens_nothing() -> None:
    place = Place(KEY)
    place.error = ValueError("no such column")
    with capture_logs() as logs, pytest.raises(StoreUnavailable):
        await place.find(ID)
    assert [line["log_level"] for line in logs] == ["error"]


async def test_uses_are_written_in_time_though_no_other_request_comes() -> None:
    now, written = NOW, []
    errors: list[Exception] = [StoreUnavailable("away")]
    told = asyncio.Event()

    def write(used: object) -> None:
        if errors:
            raise errors.pop()
        written.append(used)
        loop.call_soon_threadsafe(told.set)

    loop = asyncio.get_running_loop()
    uses = KeyUses(write, lambda: now, every_s=0.02)
    for second in range(3):
        now = NOW + timedelta(seconds=second)
        uses.note(ID)
    await asyncio.wait_for(told.wait(), 5)
    assert written == [{ID: now}], "once, and though it could not be written the first time"
    now += timedelta(minutes=1)
    told.clear()
    uses.note(ID)
    await asyncio.wait_for(told.wait(), 5)
    assert written[1:] == [{ID: now}]


async def test_uses_are_written_at_the_end() -> None:
    written: list[object] = []
    uses = KeyUses(written.append, lambda: NOW)
    uses.note(ID)
    await uses.close()
    await uses.close()
    assert written == [{ID: NOW}]


async def test_uses_survive_an_unforeseen_error() -> None:
    written: list[object] = []
    errors: list[Exception] = [ValueError("no such column")]

    def write(used: object) -> None:
        if errors:
            raise errors.pop()
        written.append(used)

    uses = KeyUses(write, lambda: NOW)
    uses.note(ID)
    with capture_logs() as logs:
        await uses.flush()
    assert [line["log_level"] for line in logs] == ["error"]
    await uses.flush()
    assert written == [{ID: NOW}]
