"""Insights: a Faust app that counts linked events in windows and serves them through Redis.

The panes of consumers/panes.py lie in a Faust table with a changelog topic, partition by partition beside the source.
Every few seconds what changed goes to the changelog, and once it is acknowledged there the events folded so far
count as read; a pane knows the highest offset folded into it. So a crash at any instant loses no event and counts
none twice.

Windows go by event time. What is live is measured from the newest event seen, not from the clock, so that a replay
of old events shows what a dashboard would have shown then; what comes later than its pane is kept is counted in a
metric. Changed windows go to Redis once a second, less often where that takes long (consumers/live.py).
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import cast

import faust
from confluent_kafka import KafkaException
from faust.streams import Stream
from faust.types import TP, EventT, StreamT
from redis.asyncio import Redis

from consumers.bundles import BundleConsumer, Record, use_bundles
from consumers.credentials import credentials
from consumers.letters import Letters
from consumers.live import LiveWindows
from consumers.pane_table import PaneTable
from consumers.panes import ALL, UNITS, Panes, Sale
from consumers.sketch import hash64
from pipeline import metrics
from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage, BrokerUnavailable, CacheUnavailable, StageStopped
from pipeline.log import configure, get_logger
from pipeline.settings import Settings
from pipeline.stream.backoff import Backoff
from pipeline.stream.batch import Message
from pipeline.stream.deadletter import reason_of
from pipeline.stream.kafka import Admin
from pipeline.stream.process import stop_on_signals
from pipeline.stream.publish import KafkaPublisher
from schemas.codec import Codec, load_codec

STAGE = "insights"
TOPIC = "events.linked"
_MOST_EVENTS = 5_000  # read ahead of a fold
_MOST_UNSAFE = 20_000  # events folded, and not yet safe
_SAFE_EVERY_S = 5.0  # a pane that fills is written once a time, not once a fold
_MOST_BUNDLES = 64  # fetched and waiting
_EVERY_S = 1.0
_MOST_EVERY_S = 5.0
_SERVING_SHARE = 0.1  # of the time at most, within those bounds
_QUIET_S = 10.0
_LEAVE_S = 5.0  # after that whoever comes next reads again what is not safe
_CURRENCY = re.compile(r"[A-Z]{3}")
_NO_CURRENCY = "XXX"  # ISO 4217's own


def counts(event: Mapping[str, object]) -> bool:
    """Whether an event is told for the first time, and not again since it speaks of another record by now."""
    return ReasonCode.REPROCESSED not in cast(Sequence[str], event["reasons"])


def sale_of(offset: int, event: Mapping[str, object]) -> Sale:
    """What counts of a decoded linked event. An event dated after its own commit counts at its commit."""
    at = min(cast(datetime, event["occurred_at"]), cast(datetime, event["committed_at"]))
    order = cast(Mapping[str, object] | None, event["order"])
    amount = cast(float, order["amount"]) if order else None
    currency = cast(str | None, order["currency"]) if order else None
    return Sale(
        offset=offset,
        at=int(at.timestamp()),
        channel=_name(event["channel"]),
        store=_name(event["store"]),
        profile=hash64(cast(str, event["profile_id"])),
        currency=currency if currency and _CURRENCY.fullmatch(currency) else _NO_CURRENCY,
        amount=None if amount is None else round(amount * UNITS) if math.isfinite(amount) else 0,
    )


def _name(value: object) -> str:
    name = cast(str | None, value) or ""
    return "?" if name == ALL else name


class Insights:
    """The app and its work. Make it inside the event loop that runs it."""

    def __init__(
        self, settings: Settings, codec: Codec, letters: Letters, redis: Redis, partitions: int
    ) -> None:
        self._codec = codec
        self._letters = letters
        self._backoff = Backoff(settings)
        self._hand: list[EventT[Sequence[Record]]] = []
        self._in_hand = 0
        self._folded: list[EventT[Sequence[Record]]] = []
        self._refused: list[tuple[Message, Exception]] = []
        self._safe_due = 0.0
        self._full = asyncio.Event()
        self._room = asyncio.Event()
        self.app = faust_app(settings)
        self._table = PaneTable(self.app, name="pane-blocks", partitions=partitions, value_type=bytes)
        self._table.on_recover(self._recovered)
        self.app.tables.add(self._table)
        self._panes = Panes(self._table)
        self._live = LiveWindows(redis, self._panes)
        topic = self.app.topic(settings.topic(TOPIC), key_serializer="raw", value_serializer="raw")
        self.app.agent(topic, name="linked")(self._take)
        self.app.on_partitions_revoked.connect(self._revoked, weak=False)

    async def _take(self, stream: StreamT[Sequence[Record]]) -> None:
        """Read ahead. Events are acknowledged by `_make_safe` alone, once their effects are."""
        async for bundle in cast(Stream[Sequence[Record]], stream).noack().events():
            self._hand.append(bundle)
            self._in_hand += _records([bundle])
            if self._in_hand >= _MOST_EVENTS:
                self._full.set()
                self._room.clear()
                await self._room.wait()

    async def work(self) -> None:
        """Fold what was read; serve it every second, or few under load; make it safe every few. For ever."""
        due = 0.0
        while True:
            self._take_in()
            if self._folded and self._must_be_safe():
                await self._make_safe()
            started = time.monotonic()
            if started >= due:
                await self._serve()
                took = time.monotonic() - started
                due = started + min(max(_EVERY_S, took / _SERVING_SHARE), _MOST_EVERY_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), _EVERY_S)

    def _take_in(self) -> None:
        bundles, self._hand, self._in_hand = self._hand, [], 0
        self._full.clear()
        self._room.set()
        if bundles:
            with metrics.STEP_SECONDS.labels(STAGE, "fold").time():
                self._refused += self._fold(bundles)
            self._folded += bundles
            metrics.BATCH_MESSAGES.labels(STAGE).observe(_records(bundles))

    def _must_be_safe(self) -> bool:
        # before partitions go, Faust waits until all that was read is acknowledged
        leaving = not cast(BundleConsumer, self.app.consumer).flow_active
        return leaving or time.monotonic() >= self._safe_due or _records(self._folded) >= _MOST_UNSAFE

    async def _make_safe(self) -> None:
        with metrics.STEP_SECONDS.labels(STAGE, "safe").time():
            await self._table.safe()
            await self._refuse(self._refused)
        for bundle in self._folded:
            bundle.ack()
        self._folded, self._refused = [], []
        self._safe_due = time.monotonic() + _SAFE_EVERY_S

    def _fold(self, bundles: Sequence[EventT[Sequence[Record]]]) -> list[tuple[Message, Exception]]:
        sales: dict[int, list[Sale]] = defaultdict(list)
        refused: list[tuple[Message, Exception]] = []
        for record in (r for bundle in bundles for r in cast(Sequence[Record], bundle.value)):
            try:
                if record.value:
                    value = self._codec.decode(TOPIC, record.value)
                    if counts(value):
                        sales[record.partition].append(sale_of(record.offset, value))
            except BadMessage as exc:
                refused.append((_message(record), exc))
        for partition, found in sales.items():
            for length, count in self._panes.fold(partition, found).items():
                metrics.INSIGHTS_LATE.labels(str(length)).inc(count)
        return refused

    async def _refuse(self, refused: Sequence[tuple[Message, Exception]]) -> None:
        while True:
            try:
                await asyncio.to_thread(self._letters.send, refused)
                break
            except BrokerUnavailable as exc:
                get_logger().warning("trying again", stage=STAGE, error=str(exc))
                await asyncio.sleep(self._backoff.next())
        self._backoff.reset()
        for _, error in refused:
            metrics.DEAD_LETTERS.labels(STAGE, reason_of(error)).inc()

    async def _serve(self) -> None:
        try:
            with metrics.STEP_SECONDS.labels(STAGE, "serve").time():
                await self._live.write()
        except CacheUnavailable as exc:  # the panes stay dirty, and are written once Redis is back
            metrics.RETRIES.labels(STAGE, type(exc).__name__).inc()
            get_logger().warning("Redis is away: windows wait", stage=STAGE, error=str(exc))

    async def _recovered(self) -> None:
        """The table holds what the changelog held: forget partitions that are not ours, serve the rest anew."""
        ours = {place.partition for place in self.app.consumer.assignment()}
        self._table.keep_only(ours)
        self._panes.reload()
        get_logger().info(
            "panes recovered", stage=STAGE, panes=len(self._table.data), partitions=sorted(ours)
        )

    async def _revoked(self, _app: object, /, *signal_args: set[TP], **_: object) -> None:
        gone = {(place.topic, place.partition) for places in signal_args for place in places}
        self._hand = [b for b in self._hand if (b.message.topic, b.message.partition) not in gone]
        self._in_hand = _records(self._hand)
        self._room.set()


class _Calm(logging.Filter):
    """Lets each kind of message of the Kafka client through once in ten seconds: a broker away makes forty a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = (record.pathname, record.lineno), time.monotonic()
        if not record.name.startswith("aiokafka") or now - self._last.get(kind, -math.inf) >= _QUIET_S:
            self._last[kind] = now
            return True
        return False


def faust_app(settings: Settings) -> faust.App:
    """The app on its broker; its id, and so its group and changelog, get the topic prefix."""
    app = faust.App(
        settings.topic(STAGE),
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap.split(",")],
        broker_credentials=credentials(settings),
        store="memory://",
        datadir=settings.home / STAGE,
        web_enabled=False,
        topic_disable_leader=True,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=_EVERY_S,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        stream_recovery_delay=0.0,
        producer_compression_type="lz4",
        stream_buffer_maxsize=_MOST_BUNDLES,
    )
    use_bundles(app)
    return app


def _records(bundles: Iterable[EventT[Sequence[Record]]]) -> int:
    return sum(len(cast(Sequence[Record], bundle.value)) for bundle in bundles)


def _message(record: Record) -> Message:
    at = datetime.fromtimestamp(record.timestamp / 1_000, UTC)
    return Message(record.topic, record.partition, record.offset, at, record.key, record.value)


async def _partitions(settings: Settings, stopping: asyncio.Event) -> int | None:
    """How many partitions the source has; waits for broker and topic. None where we are stopped before."""
    backoff, topic = Backoff(settings), settings.topic(TOPIC)
    admin = Admin(settings)
    while not stopping.is_set():
        try:
            found = await asyncio.to_thread(admin.client.list_topics, topic, timeout=5.0)
            error = found.topics[topic].error
            if error is None:
                return len(found.topics[topic].partitions)
            cause = error.str()
        except KafkaException as exc:
            cause = str(admin.unavailable(exc.args[0]))
        get_logger().warning("waiting for Kafka", stage=STAGE, topic=topic, cause=cause)
        await asyncio.wait([asyncio.ensure_future(stopping.wait())], timeout=backoff.next())
    return None


async def _run(settings: Settings) -> None:
    stopping, told_before = asyncio.Event(), stop_on_signals()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if told_before.is_set():  # behind the handlers: no signal is lost between those and these
        stopping.set()
    partitions = await _partitions(settings, stopping)
    if partitions is None:
        return
    codec = load_codec(settings)
    publisher = KafkaPublisher(settings, STAGE, stopping.is_set)
    letters = Letters(STAGE, settings, codec, publisher)
    async with Redis.from_url(
        settings.redis_url, decode_responses=True, socket_timeout=5.0, socket_connect_timeout=5.0
    ) as redis:
        insights = Insights(settings, codec, letters, redis, partitions)
        await insights.app.start()
        work = asyncio.ensure_future(insights.work())
        ends = [
            work,
            *(asyncio.ensure_future(e) for e in (stopping.wait(), insights.app.wait_until_stopped())),
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        crash = work.exception() if work.done() else insights.app.crash_reason
        with suppress(TimeoutError):  # it waits for the work to make safe what was read
            await asyncio.wait_for(insights.app.stop(), _LEAVE_S)
        for end in ends:
            end.cancel()
        publisher.close()
    if crash is not None:
        raise StageStopped(f"insights ended: {type(crash).__name__}") from crash


def main(settings: Settings) -> None:
    """Run the insights consumer until SIGTERM. Raises StageStopped where Faust gives up; start it again."""
    configure(settings, STAGE)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_Calm())
    metrics.serve(settings)
    asyncio.run(_run(settings))
