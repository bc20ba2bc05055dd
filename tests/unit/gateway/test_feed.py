"""A subscriber's way between the ring and the log, on a log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway.feed import feed as module
from gateway.feed import live, stream
from gateway.feed.feed import Feed, Start
from gateway.feed.stream import Allowed
from gateway.feed.tail import Tail, Taking
from pipeline.changes.change import Change, Place
from pipeline.changes.kinds import PROFILES, ChangeType
from pipeline.changes.reader import Bounds, Read
from pipeline.changes.wanted import Wanted, types_of
from pipeline.errors import BrokerUnavailable, FeedFull, PositionGone
from pipeline.settings import Settings
from schemas.codec import Codec, load_codec

A: Place = (PROFILES, 0)
WANTED = Wanted(types_of(["profile.*"]))


class Log:
    """One partition: its changes from `low` on; `away` while the broker is."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.low = 0
        self.away = False
        self.tail: FakeTail | None = None
        self.readers = 0

    def put(self, count: int) -> None:
        for _ in range(count):
            at = self.low + len(self.changes)
            body = b'{"n":%d}' % at
            self.changes.append(Change(ChangeType.PROFILE_UPDATED, A, at, frozenset(), body))
            if self.tail is not None:
                self.tail.taking.took(self.tail, self.changes[-1:])

    def bounds(self, *_: object) -> Mapping[Place, Bounds]:
        if self.away:
            raise BrokerUnavailable("away")
        return {A: Bounds(self.low, self.low + len(self.changes))}

    def begin_anew(self) -> None:
        """As after a broker that lost its log."""
        self.changes = []
        assert self.tail is not None
        self.tail.begin()


class FakeTail(Tail):
    def __init__(self, settings: Settings, codec: Codec, taking: Taking, log: Log) -> None:
        super().__init__(settings, codec, taking)
        self.taking, self.log = taking, log
        log.tail = self

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.log.away:
            self.begin()

    def begin(self) -> None:
        self.taking.restarted(self, {A: self.log.low + len(self.log.changes)})


class FakeReader:
    def __init__(self, log: Log, position: Mapping[Place, int]) -> None:
        self.log, self.at = log, position[A]
        log.readers += 1

    def read(self, most: int, seconds: float) -> Read:
        if self.at < self.log.low:
            raise PositionGone("gone")
        found: Sequence[Change] = self.log.changes[self.at - self.log.low :][:most]
        self.at += len(found)
        return Read(found, {A: self.at})

    def close(self) -> None:
        self.log.readers -= 1


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    made = Log()
    monkeypatch.setattr(module, "Tail", lambda *given: FakeTail(*given, made))
    monkeypatch.setattr(live, "Reader", lambda s, c, position, name: FakeReader(made, position))
    monkeypatch.setattr(live, "bounds", made.bounds)
    monkeypatch.setattr(module, "_START_S", 0.05)
    return made


@asynccontextmanager
async def feeding(**more: int) -> AsyncIterator[Feed]:
    settings = Settings.model_validate({"feed_heartbeat_ms": 100, "feed_ring_bytes": 1_024, **more})
    made = Feed(settings, load_codec(settings))
    yield made
    await made.close()


async def always() -> bool:
    return True


class Reading:
    """Reads one subscription: the numbers of its changes, and what else it says."""

    def __init__(self, feed: Feed, start: Start = "earliest", allowed: Allowed = always) -> None:
        self._feed, self._start, self.allowed = feed, start, allowed
        self.numbers: list[int] = []
        self.text = ""

    async def __aenter__(self) -> Reading:
        self.subscription = await self._feed.subscribe(self._start, WANTED, self.allowed)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.subscription.close()

    async def until(self, end: str) -> None:
        """Read until this was said."""
        async with asyncio.timeout(5):
            async for block in self.subscription.frames:
                self.text += block.decode()
                if end in self.text:
                    break
        lines = [line for line in self.text.splitlines() if line.startswith('data: {"n":')]
        self.numbers = [int(line.removeprefix('data: {"n":').removesuffix("}")) for line in lines]


async def test_from_the_log_to_the_ring_and_behind_it_again(log: Log) -> None:
    log.put(300)
    async with feeding() as feed, Reading(feed) as reading:
        await reading.until('{"n":299}')
        log.put(5)
        await reading.until('{"n":304}')
        assert log.readers == 0, "live, it reads from the ring"
        log.put(2_000)  # far more than the ring holds
        await reading.until('{"n":2304}')
        assert reading.numbers == list(range(2_305))
    assert log.readers == 0


async def test_while_nothing_comes_it_says_where_it_stands(log: Log) -> None:
    async with feeding() as feed, Reading(feed, "latest") as reading:
        await reading.until("retry: 1000\n: beat\nid: ")
        reading.text = ""
        await reading.until(": beat\nid: ")


async def test_a_log_that_is_another_one_ends_the_stream(log: Log) -> None:
    log.put(50)
    async with feeding() as feed, Reading(feed) as reading:
        await reading.until('{"n":49}')
        log.begin_anew()
        await reading.until("feed.ended")
        assert '"reason":"position_gone"' in reading.text


async def test_a_log_that_goes_on_is_gone_on_with(log: Log) -> None:
    async with feeding() as feed, Reading(feed) as reading:
        log.put(5)
        await reading.until('{"n":4}')
        assert log.tail is not None
        log.tail, tail = None, log.tail
        log.put(5)  # while the tail was away
        log.tail = tail
        assert isinstance(tail, FakeTail)
        tail.begin()
        log.put(5)
        await reading.until('{"n":14}')
        assert reading.numbers == list(range(15))


async def test_a_broker_that_is_away(log: Log) -> None:
    log.away = True
    async with feeding() as feed:
        with pytest.raises(BrokerUnavailable):
            await feed.subscribe("latest", WANTED, always)
        log.away = False
        assert log.tail is not None
        log.tail.begin()
        async with Reading(feed) as reading:
            log.away = True
            log.tail.begin()
            await reading.until("feed.ended")
            assert '"reason":"unavailable"' in reading.text


async def test_no_more_than_may_and_none_once_it_ends(log: Log) -> None:
    async with feeding(feed_max_subscribers=2) as feed:
        async with Reading(feed), Reading(feed) as second:
            with pytest.raises(FeedFull):
                await feed.subscribe("latest", WANTED, always)
            feed.stop()
            await second.until("feed.ended")
            assert '"reason":"shutdown"' in second.text
        with pytest.raises(FeedFull):
            await feed.subscribe("latest", WANTED, always)


async def test_who_leaves_makes_room_whether_it_read_or_not(log: Log) -> None:
    log.put(500)
    async with feeding(feed_max_subscribers=1) as feed:
        for read in (False, True, False, True):
            async with Reading(feed) as reading:
                if read:
                    await reading.until('{"n":100}')
        assert log.readers == 0


@pytest.mark.parametrize("changes", [0, 300])
async def test_who_may_read_no_more_is_told_nothing_more(
    log: Log, monkeypatch: pytest.MonkeyPatch, changes: int
) -> None:
    """Whether or not anything comes, and whatever a comment waits for."""
    monkeypatch.setattr(stream, "_ASK_S", 0.02)
    may = True

    async def allowed() -> bool:
        return may

    async with feeding(feed_heartbeat_ms=60_000) as feed, Reading(feed, "latest", allowed) as reading:
        log.put(1)
        await reading.until('{"n":0}')
        await asyncio.sleep(0.02)
        may = False
        log.put(changes)
        await reading.until("key_revoked")
        assert reading.numbers == [0]
