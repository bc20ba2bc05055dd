"""The insights consumer (Faust) against Kafka and Redis: windows that count everything once, whatever dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from consumers.panes import WINDOWS
from consumers.reading import Figures, LiveInsights, live_insights
from pipeline.errors import BadInput
from pipeline.settings import Settings
from pipeline.stream.kafka import consumer_config, producer_config
from tests.support.linked import START, Told, history, linked, publish, uid
from tests.support.worker import Worker, eventually

MODULE = "consumers.insights"


def events(seed: int, steps: int) -> list[Told]:
    """Purchases over three hours; the last minute holds one of each channel."""
    told = [t for t in history(seed, steps) if t.topic == "events.linked"]
    last = START + timedelta(hours=3, seconds=30)
    return told + [Told("events.linked", "z", linked("z", 1, "r", ["x"], at=last, channel=c, amount=1.5)) for c in
                   ("web", "pos")]  # fmt: skip


def read(settings: Settings, **query: object) -> LiveInsights:
    async def ask() -> LiveInsights:
        async with AsyncRedis.from_url(settings.redis_url, decode_responses=True) as redis:
            return await live_insights(redis, **query)  # type: ignore[arg-type]

    return asyncio.run(ask())


def counted(
    told: Sequence[Told], start: float, end: float, channel: str | None, store: str | None
) -> Figures:
    count, orders, profiles = 0, 0, set()
    revenue: dict[str, int] = {}
    for message in told:
        value = message.value
        assert value is not None
        at = value["occurred_at"].timestamp()  # type: ignore[attr-defined]
        if (
            not start <= at < end
            or channel not in (None, value["channel"])
            or store not in (None, value["store"])
        ):
            continue
        count += 1
        order = value["order"]
        assert isinstance(order, dict)
        orders += 1
        revenue[order["currency"]] = revenue.get(order["currency"], 0) + round(order["amount"] * 10_000)
        profiles.add((value["channel"] if store else None, message.profile))
    return Figures(count, orders, {c: a / 10_000 for c, a in sorted(revenue.items())}, len(profiles))


def right(settings: Settings, told: Sequence[Told], minutes: int = 20) -> bool:
    """Every window shown holds what counting one by one gives."""
    for name in WINDOWS:
        for channel, store in ((None, None), ("pos", None), ("pos", "s1"), (None, "s2")):
            last = minutes if WINDOWS[name].pane_s == 60 else 3
            found = read(settings, window=name, channel=channel, store=store, last=last)
            if len(found.windows) != last:
                return False
            for w in found.windows:
                if w.total != counted(told, w.start.timestamp(), w.end.timestamp(), channel, store):
                    return False
    return True


def served(settings: Settings) -> int:
    """All events that the windows count now."""
    return sum(w.total.events for w in read(settings, window="hour", last=4).windows)


@pytest.fixture
def redis(house: Settings) -> Iterator[Redis]:
    with Redis.from_url(house.redis_url, decode_responses=True) as client:
        yield client


def test_windows_count_every_event_once_and_are_served_within_seconds(house: Settings) -> None:
    told = events(1, 3_000)
    assert read(house).windows == ()
    publish(house, told)
    with Worker(MODULE, house) as worker:
        eventually(lambda: right(house, told))
        assert worker.stop() == 0
    found = read(house, window="minute")
    assert found.newest_event_at == START + timedelta(hours=3, minutes=1)
    assert found.windows[0].start == START + timedelta(hours=3)
    assert [(g.channel, g.store, g.figures.events) for g in found.windows[0].groups] == [
        ("pos", "", 1),
        ("web", "", 1),
    ]
    assert found.windows[0].total.revenue == {"EUR": 3.0}
    assert found.windows[0].total.profiles == 1


def test_killed_again_and_again_nothing_is_lost_and_nothing_counts_twice(
    house: Settings, redis: Redis
) -> None:
    """Each worker serves something of its part before it dies, at any time up to when that is made safe.

    What was served is thrown away in the end: it has to come again from what the last of them recovers and reads.
    """
    told = events(2, 6_000)
    part = len(told) // 4
    for i in range(4):
        with Worker(MODULE, house) as worker:
            publish(house, told[i * part : (i + 1) * part if i < 3 else None])
            eventually(lambda: served(house) > i * part, 60, lambda: served(house))  # noqa: B023 waited for here
            time.sleep(1.8 * i)
            worker.kill()
    redis.flushdb()
    with Worker(MODULE, house) as worker:
        eventually(lambda: right(house, told), 60, lambda: served(house))
        assert worker.stop() == 0


def test_a_group_reset_to_the_beginning_changes_nothing_and_an_emptied_redis_is_filled_again(
    house: Settings, redis: Redis
) -> None:
    told = events(3, 1_500)
    publish(house, told)
    with Worker(MODULE, house) as worker:
        eventually(lambda: right(house, told))
        assert worker.stop() == 0
    topic = house.topic("events.linked")
    client = Consumer(
        consumer_config(house.model_copy(update={"kafka_group_protocol": "classic"}), "insights")
    )
    partitions = len(client.list_topics(topic, timeout=10).topics[topic].partitions)
    beginning = [TopicPartition(topic, p, 0) for p in range(partitions)]
    assert all(p.error is None for p in client.commit(offsets=beginning, asynchronous=False) or [])
    client.close()
    redis.flushdb()
    with Worker(MODULE, house) as worker:
        eventually(lambda: right(house, told))
        time.sleep(3)  # long enough to have read everything again
        assert right(house, told)
        assert worker.stop() == 0


def test_a_bad_message_is_a_dead_letter_and_the_others_count(house: Settings) -> None:
    told = events(4, 300)
    client = Producer(producer_config(house, "test"))
    client.produce(house.topic("events.linked"), b"rubbish", uid("z").encode())
    assert client.flush(10) == 0
    publish(house, told)
    letters = Consumer(consumer_config(house, "test-letters") | {"auto.offset.reset": "earliest"})
    letters.subscribe([house.topic("events.dead-letter")])
    with Worker(MODULE, house) as worker:
        eventually(lambda: right(house, told))
        eventually(lambda: (m := letters.poll(0.2)) is not None and m.error() is None)
        assert worker.stop() == 0
    letters.close()


def test_questions_that_make_no_sense_name_the_field(house: Settings) -> None:
    for query in ({"window": "week"}, {"last": 0}, {"last": 10_000}):
        with pytest.raises(BadInput):
            read(house, **query)
