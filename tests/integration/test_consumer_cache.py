"""The cache consumer against Kafka and Redis."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from redis import Redis

from consumers.cache import Cache, ProfileFact
from pipeline.settings import Settings
from pipeline.stream.kafka import consumer_config
from schemas.codec import load_codec
from tests.support.linked import START, Told, history, publish, state, uid
from tests.support.worker import Worker, eventually

MODULE = "consumers.cache"


@pytest.fixture
def redis(house: Settings) -> Iterator[Redis]:
    with Redis.from_url(house.redis_url, decode_responses=True) as client:
        yield client


def versions(redis: Redis) -> dict[str, int]:
    keys = list(redis.scan_iter("rb:profile:*"))
    return {key.removeprefix("rb:profile:"): int(redis.hget(key, "version")) for key in keys}  # type: ignore[arg-type]


def newest(told: list[Told]) -> dict[str, int]:
    found: dict[str, int] = {}
    for message in told:
        if message.topic == "profiles.updates":
            if message.value is None:
                found.pop(uid(message.profile), None)
            else:
                version = message.value["version"]
                assert isinstance(version, int)
                found[uid(message.profile)] = version
    return found


def fact(profile: str, version: int | None) -> ProfileFact:
    return ProfileFact(uid(profile), version, str(version).encode())


def test_an_older_state_never_overwrites_a_newer_one(house: Settings, redis: Redis) -> None:
    cache = Cache(redis)
    facts = [fact(f"p{i % 7}", i) for i in range(1, 1_400)]
    random.Random(3).shuffle(facts)
    cache.apply(facts)
    cache.apply(facts[:700])
    best = {uid(f"p{i % 7}"): i for i in range(1, 1_400)}
    assert versions(redis) == best
    assert all(redis.hget(f"rb:profile:{p}", "state") == str(v) for p, v in best.items())


def test_a_profile_is_cached_redirected_and_forgotten(house: Settings, redis: Redis) -> None:
    told = [
        Told("profiles.updates", "a", state("a", 1, ["r1"])),
        Told("profiles.updates", "b", state("b", 1, ["r2"])),
        Told("profiles.updates", "c", state("c", 1, ["r3"])),
        Told("profiles.updates", "b", state("b", 2, [], merged_into="a")),
        Told("profiles.updates", "c", None),
    ]
    publish(house, told)
    with Worker(MODULE, house) as worker:
        eventually(lambda: versions(redis) == {uid("a"): 1, uid("b"): 2})
        assert worker.stop() == 0
    cached = json.loads(str(redis.hget(f"rb:profile:{uid('b')}", "state")))
    assert cached["merged_into"] == uid("a")
    assert cached["created_at"] == START.isoformat()


def test_killed_again_and_again_and_with_redis_emptied_it_ends_right(house: Settings, redis: Redis) -> None:
    told = [t for t in history(1, 3_000) if t.topic == "profiles.updates"]
    third = len(told) // 3
    for part in range(3):
        with Worker(MODULE, house, RB_BATCH_MAX_EVENTS="50") as worker:
            publish(house, told[part * third : (part + 1) * third if part < 2 else None])
            eventually(lambda: len(versions(redis)) > 0)
            worker.kill()
    redis.flushdb()  # its positions went with it, so everything is read again
    with Worker(MODULE, house):
        eventually(lambda: versions(redis) == newest(told))


def test_a_group_reset_to_the_beginning_reads_everything_again(house: Settings, redis: Redis) -> None:
    told = [t for t in history(2, 500) if t.topic == "profiles.updates"]
    publish(house, told)
    with Worker(MODULE, house) as worker:
        eventually(lambda: versions(redis) == newest(told))
        assert worker.stop() == 0
    lost = f"rb:profile:{sorted(newest(told))[0]}"
    redis.delete(lost)
    topic = house.topic("profiles.updates")
    client = Consumer(consumer_config(house, "cache"))
    partitions = len(client.list_topics(topic, timeout=10).topics[topic].partitions)
    beginning = [TopicPartition(topic, p, 0) for p in range(partitions)]
    eventually(lambda: not _failed(client, beginning))
    client.close()
    with Worker(MODULE, house):
        eventually(lambda: versions(redis) == newest(told))


def _failed(client: Consumer, offsets: list[TopicPartition]) -> bool:
    done = client.commit(offsets=offsets, asynchronous=False)
    return any(p.error is not None for p in done or [])


def test_a_bad_message_becomes_a_dead_letter_and_the_others_are_unharmed(
    house: Settings, redis: Redis
) -> None:
    publish(house, [Told("profiles.updates", "a", state("a", 1, ["r1"]))])
    _send(house, uid("a").encode(), b"\x00\x01")
    _send(house, b"no profile", load_codec(house).encode("profiles.updates", state("b", 1, ["r"])))
    publish(house, [Told("profiles.updates", "a", state("a", 2, ["r1", "r2"]))] * 3)
    with Worker(MODULE, house) as worker:
        eventually(lambda: versions(redis) == {uid("a"): 2})
        letters = _dead_letters(house, 2)
        assert worker.stop() == 0
    assert {str(letter["reason"]) for letter in letters} == {"undecodable", "schema_violation"}
    assert {str(letter["stage"]) for letter in letters} == {"cache"}
    assert {str(letter["topic"]) for letter in letters} == {"profiles.updates"}


def _send(house: Settings, key: bytes, value: bytes) -> None:
    from confluent_kafka import Producer

    from pipeline.stream.kafka import producer_config

    client = Producer(producer_config(house, "test"))
    client.produce(house.topic("profiles.updates"), value, key)
    assert client.flush(10) == 0


def _dead_letters(house: Settings, count: int) -> list[dict[str, object]]:
    client = Consumer(consumer_config(house, "test-letters") | {"auto.offset.reset": "earliest"})
    client.subscribe([house.topic("events.dead-letter")])
    codec, found = load_codec(house), []
    for _ in range(200):
        message = client.poll(0.1)
        if message is not None and message.error() is None:
            found.append(codec.decode("events.dead-letter", message.value() or b""))
        if len(found) == count:
            break
    client.close()
    return found
