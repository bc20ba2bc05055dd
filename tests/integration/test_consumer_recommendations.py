"""The recommendations consumer: counts that follow merges, splits and rollbacks exactly, whatever is replayed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1
from typing import cast
from uuid import UUID
from zlib import crc32

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from consumers.reading import Recommendations, recommendations
from consumers.recommendations import MOST_ITEMS, Fact, RecommendationCounts, withheld
from pipeline.identity.consent import ConsentState
from pipeline.settings import Settings
from tests.servers import TestStack, flushed_redis
from tests.support.linked import (
    START,
    Told,
    expected_counts,
    expected_items,
    history,
    linked,
    publish,
    state,
    uid,
)
from tests.support.redis_facts import counts_in, owned_in
from tests.support.worker import Worker, eventually

MODULE = "consumers.recommendations"


@pytest.fixture
def redis(stack: TestStack) -> Iterator[Redis]:
    with Redis.from_url(flushed_redis(stack.redis_url, 14), decode_responses=True) as client:
        yield client


def facts(told: Sequence[Told], projection: RecommendationCounts) -> list[Fact]:
    read = [projection.read(t.topic, uid(t.profile).encode(), t.value) for t in told]
    return [fact for fact in read if fact is not None]


def fold(redis: Redis, told: Sequence[Told], batch: int = 37) -> None:
    projection = RecommendationCounts(redis)
    found = facts(told, projection)
    for start in range(0, len(found), batch):
        projection.apply(found[start : start + batch])
    projection.rest()


def check(redis: Redis, told: Sequence[Told]) -> None:
    owned = expected_items(told)
    assert owned_in(redis) == owned
    assert counts_in(redis) == expected_counts(owned)


def interleave(told: Sequence[Told], seed: int) -> list[Told]:
    """Another order in which two topics of several partitions may be read: only a key's own order is kept."""
    chance = random.Random(seed)
    queues: dict[tuple[str, str], list[Told]] = {}
    for message in told:
        queues.setdefault((message.topic, message.profile), []).append(message)
    mixed = []
    while queues:
        key = chance.choice(sorted(queues))
        mixed.append(queues[key].pop(0))
        if not queues[key]:
            del queues[key]
    return mixed


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_what_counting_the_final_profiles_gives(redis: Redis, seed: int) -> None:
    told = history(seed, 400)
    fold(redis, told)
    check(redis, told)


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_reading_and_any_replay_end_in_the_same_counts(redis: Redis, seed: int) -> None:
    told = history(seed, 300)
    mixed = interleave(told, seed)
    chance = random.Random(seed)
    fold(redis, mixed)
    for _ in range(3):
        fold(redis, mixed[chance.randrange(len(mixed)) :], batch=chance.choice([1, 10, 100]))
    check(redis, told)
    fold(redis, interleave(told, seed + 100))
    check(redis, told)


@pytest.mark.parametrize("seed", range(2))
def test_workers_that_change_the_same_profiles_at_once_count_everything_once(redis: Redis, seed: int) -> None:
    told = history(seed, 600)
    shares: list[list[Told]] = [[], [], []]
    for message in told:  # as partitions would: a profile's updates in one, a topic's apart from the other's
        shares[crc32(f"{message.topic} {message.profile}".encode()) % len(shares)].append(message)
    with ThreadPoolExecutor(len(shares)) as pool:
        list(pool.map(lambda share: fold(redis, share, batch=5), shares))
    check(redis, told)


def test_an_event_counts_for_its_profile_before_the_profiles_state_is_known(redis: Redis) -> None:
    fold(redis, [Told("events.linked", "a", linked("a", 1, "r1", ["x", "y"]))])
    assert owned_in(redis) == {uid("a"): {"x", "y"}}
    fold(redis, [Told("profiles.updates", "a", state("a", 1, ["r1"]))])
    assert owned_in(redis) == {uid("a"): {"x", "y"}}


def test_a_rollback_moves_events_that_came_after_the_merge_with_their_record(redis: Redis) -> None:
    told = [
        Told("profiles.updates", "a", state("a", 1, ["ra"])),
        Told("profiles.updates", "b", state("b", 1, ["rb"])),
        Told("events.linked", "a", linked("a", 1, "ra", ["x"])),
        Told("events.linked", "b", linked("b", 1, "rb", ["y"])),
        Told("profiles.updates", "a", state("a", 2, ["ra", "rb"])),
        Told("profiles.updates", "b", state("b", 2, [], merged_into="a")),
        Told("events.linked", "a", linked("a", 2, "rb", ["z"])),
    ]
    fold(redis, told)
    assert owned_in(redis) == {uid("a"): {"x", "y", "z"}}
    back = [
        Told("profiles.updates", "a", state("a", 3, ["ra"])),
        Told("profiles.updates", "b", state("b", 3, ["rb"])),
    ]
    fold(redis, back)
    assert owned_in(redis) == {uid("a"): {"x"}, uid("b"): {"y", "z"}}
    check(redis, told + back)


def test_an_erased_profile_leaves_no_count_and_an_old_event_does_not_bring_it_back(redis: Redis) -> None:
    bought = [
        Told("profiles.updates", "a", state("a", 1, ["ra"])),
        Told("events.linked", "a", linked("a", 1, "ra", ["x", "y"])),
    ]
    fold(redis, [*bought, Told("profiles.updates", "a", None)])
    fold(redis, bought)
    assert owned_in(redis) == {}
    assert counts_in(redis) == expected_counts({})
    assert list(redis.scan_iter("rb:rec:*")) == [f"rb:rec:state:{uid('a')}"]
    assert redis.ttl(f"rb:rec:state:{uid('a')}") > 0


def test_a_profile_with_very_many_items_is_bounded_and_the_bound_does_not_depend_on_order(
    redis: Redis,
) -> None:
    skus = [f"s{i}" for i in range(3 * MOST_ITEMS)]
    events = [Told("events.linked", "a", linked("a", 1, "ra", [sku])) for sku in skus]
    told = [Told("profiles.updates", "a", state("a", 1, ["ra"])), *events]
    fold(redis, told)
    first = owned_in(redis)[uid("a")]
    assert len(first) == MOST_ITEMS
    redis.flushdb()
    fold(redis, told[::-1])
    assert owned_in(redis)[uid("a")] == first
    popular, together = counts_in(redis)
    assert len(popular) == MOST_ITEMS
    assert len(together) == MOST_ITEMS * (MOST_ITEMS - 1)


@pytest.mark.parametrize("seed", range(4))
def test_beyond_the_bound_every_order_and_replay_still_end_in_the_same_sample(
    redis: Redis, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = 4
    monkeypatch.setattr("consumers.recommendations.MOST_ITEMS", bound)
    told = history(seed, 400)
    fold(redis, interleave(told, seed))
    fold(redis, told[len(told) // 2 :], batch=11)
    everything = expected_items(told)
    assert any(len(items) > bound for items in everything.values())
    sampled = {
        profile: set(sorted(items, key=lambda item: sha1(item.encode()).hexdigest())[:bound])
        for profile, items in everything.items()
    }
    assert owned_in(redis) == sampled
    assert counts_in(redis) == expected_counts(sampled)


def test_lists_nobody_asked_for_are_made_at_leisure_and_never_while_folding(redis: Redis) -> None:
    told = history(3, 300)
    projection = RecommendationCounts(redis)
    projection.apply(facts(told, projection))
    waiting = redis.scard("rb:rec:stale")
    assert waiting == len(owned_in(redis)) > 0
    assert not list(redis.scan_iter("rb:rec:????????-*"))
    projection.rest()
    projection.rest()  # at once after the first: not its time yet
    assert redis.scard("rb:rec:stale") == max(0, waiting - 100)


async def read(redis: Redis, profile: str, limit: int = 10, unsaid: str = "") -> Recommendations | None:
    settings = redis.connection_pool.connection_kwargs
    url = f"redis://{settings['host']}:{settings['port']}/{settings['db']}"
    async with AsyncRedis.from_url(url, decode_responses=True) as client:
        return await recommendations(client, UUID(uid(profile)), limit, unsaid)


async def test_lists_name_what_goes_with_what_is_owned_and_why(redis: Redis) -> None:
    baskets = [["a", "b"], ["a", "b"], ["a", "c"], ["d", "e"], ["a"]]
    told = []
    for i, basket in enumerate(baskets):
        told.append(Told("profiles.updates", f"p{i}", state(f"p{i}", 1, [f"r{i}"])))
        told.append(Told("events.linked", f"p{i}", linked(f"p{i}", 1, f"r{i}", basket)))
    fold(redis, told)
    found = await read(redis, "p4")
    assert found is not None
    assert not found.fallback
    # b: 2 / sqrt(4 * 2), c: 1 / sqrt(4 * 1)
    assert [(s.sku, s.score, s.because) for s in found.items] == [("b", 0.707107, "a"), ("c", 0.5, "a")]
    assert await read(redis, "nobody") is None


async def test_a_list_made_by_the_consumer_is_the_list_made_when_read(redis: Redis) -> None:
    told = history(5, 400)
    fold(redis, told)
    profiles = {t.profile for t in told}
    redis.sadd("rb:rec:stale", *owned_in(redis))
    RecommendationCounts(redis).rest()
    assert len(list(redis.scan_iter("rb:rec:????????-*"))) == len(owned_in(redis))
    kept = {p: await read(redis, p, 50) for p in profiles}
    for key in redis.scan_iter("rb:rec:????????-*"):
        redis.delete(key)
    assert {p: await read(redis, p, 50) for p in profiles} == kept
    assert any(k and not k.fallback for k in kept.values())


async def test_a_list_is_a_function_of_who_owns_what_alone(redis: Redis) -> None:
    told = history(5, 400)
    profiles = sorted({t.profile for t in told})
    fold(redis, told)
    lists = [await read(redis, p, 50) for p in profiles]
    assert any(found and not found.fallback for found in lists)
    assert [await read(redis, p, 50) for p in profiles] == lists
    redis.flushdb()
    fold(redis, interleave(told, 5))
    assert [await read(redis, p, 50) for p in profiles] == lists


async def test_who_owns_nothing_gets_what_is_popular_and_merges_are_followed(redis: Redis) -> None:
    told = history(6, 200)
    fold(redis, told)
    popular, _ = counts_in(redis)
    fold(
        redis,
        [
            Told("profiles.updates", "new", state("new", 1, ["rn"])),
            Told("profiles.updates", "old", state("old", 1, [], merged_into="middle")),
            Told("profiles.updates", "middle", state("middle", 1, [], merged_into="new")),
        ],
    )
    for profile in ("new", "middle", "old"):
        found = await read(redis, profile, 3)
        assert found is not None
        assert found.fallback
        assert found.profile_id == UUID(uid("new"))
        assert [s.score for s in found.items] == sorted(popular.values(), reverse=True)[:3]


def test_the_process_killed_and_its_positions_set_back_ends_in_the_same_counts(house: Settings) -> None:
    told = history(9, 1_500)
    with Redis.from_url(house.redis_url, decode_responses=True) as redis:
        third = len(told) // 3
        for part in range(3):
            with Worker(MODULE, house, RB_BATCH_MAX_EVENTS="40") as worker:
                publish(house, told[part * third : (part + 1) * third if part < 2 else None])
                eventually(lambda: redis.exists("rb:position:" + house.topic("recommendations")) == 1)
                worker.kill()
        key = "rb:position:" + house.topic("recommendations")
        for field, offset in cast(dict[str, str], redis.hgetall(key)).items():
            redis.hset(key, field, int(offset) // 2)
        with Worker(MODULE, house) as worker:
            eventually(lambda: owned_in(redis) == expected_items(told))
            eventually(lambda: redis.exists("rb:rec:stale") == 0)
            assert worker.stop() == 0
        check(redis, told)


def baskets(*held: Sequence[str]) -> list[Told]:
    told = []
    for i, basket in enumerate(held):
        told.append(Told("profiles.updates", f"p{i}", state(f"p{i}", 1, [f"r{i}"])))
        told.append(Told("events.linked", f"p{i}", linked(f"p{i}", 1, f"r{i}", basket)))
    return told


async def test_who_withdraws_personalisation_has_no_list_until_it_is_granted_again(redis: Redis) -> None:
    fold(redis, baskets(["a", "b"], ["a"]))
    listed = f"rb:rec:{uid('p1')}"
    assert redis.exists(listed)
    fold(redis, [Told("profiles.updates", "p1", state("p1", 2, ["r1"], personalisation="withdrawn"))])
    assert not redis.exists(listed)
    assert await read(redis, "p1") == Recommendations(UUID(uid("p1")), (), fallback=False, withheld=True)
    fold(redis, [Told("events.linked", "p1", linked("p1", 2, "r1", ["c"]))])
    redis.sadd("rb:rec:stale", uid("p1"))
    RecommendationCounts(redis).rest()
    assert not redis.exists(listed)
    assert not redis.sismember("rb:rec:stale", uid("p1"))
    assert counts_in(redis)[0]["c"] == 1, "it is counted still"
    fold(redis, [Told("profiles.updates", "p1", state("p1", 3, ["r1"], personalisation="granted"))])
    found = await read(redis, "p1")
    assert found is not None
    assert [s.sku for s in found.items] == ["b"]


async def test_who_withdraws_analytics_is_counted_for_nobody_and_has_a_list_still(redis: Redis) -> None:
    told = baskets(["a", "b"], ["a"], ["a", "b", "c"])
    fold(redis, told)
    before = counts_in(redis)
    back = [Told("profiles.updates", "p2", state("p2", 2, ["r2"], analytics="withdrawn"))]
    fold(redis, back)
    assert counts_in(redis) == expected_counts({uid("p0"): {"a", "b"}, uid("p1"): {"a"}})
    fold(redis, [Told("events.linked", "p2", linked("p2", 2, "r2", ["d"]))])
    assert "d" not in counts_in(redis)[0]
    assert owned_in(redis)[uid("p2")] == {"a", "b", "c", "d"}
    found = await read(redis, "p2")
    assert found is not None
    assert not found.withheld
    fold(redis, told + back)  # whatever comes again
    assert counts_in(redis) == expected_counts({uid("p0"): {"a", "b"}, uid("p1"): {"a"}})
    fold(redis, [Told("profiles.updates", "p2", state("p2", 3, ["r2"], analytics="granted"))])
    popular, _ = counts_in(redis)
    assert popular - before[0] == {"d": 1}


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_who_consents_in_any_order_of_reading(redis: Redis, seed: int) -> None:
    told = history(seed, 300)
    chance = random.Random(seed)
    changed = []
    for message in told:
        value = message.value
        if message.topic == "profiles.updates" and value is not None and chance.random() < 0.5:
            word = {
                "purpose": "analytics",
                "state": chance.choice(["granted", "withdrawn"]),
                "at": START,
                "source": "w",
            }
            value = {**value, "consent": [word]}
        changed.append(Told(message.topic, message.profile, value))
    last = {m.profile: m.value for m in changed if m.topic == "profiles.updates"}
    silent = {
        uid(p)
        for p, value in last.items()
        if value and any(c["state"] == "withdrawn" for c in value["consent"])  # type: ignore[attr-defined]
    }
    counted = {p: items for p, items in expected_items(changed).items() if p not in silent}
    assert silent & expected_items(changed).keys()
    fold(redis, interleave(changed, seed))
    fold(redis, changed[len(changed) // 2 :], batch=11)
    assert counts_in(redis) == expected_counts(counted)


async def test_what_holds_while_nothing_was_said_is_the_policys(redis: Redis) -> None:
    unasked = {"analytics": ConsentState.WITHDRAWN, "personalisation": ConsentState.WITHDRAWN}
    projection = RecommendationCounts(redis, unasked)
    early = [Told("events.linked", "p0", linked("p0", 1, "r0", ["a", "b"]))]
    projection.apply(facts(early, projection))
    assert counts_in(redis) == expected_counts({}), "before its state is known, too"
    assert await read(redis, "p0", unsaid=withheld({}, unasked)) == Recommendations(
        UUID(uid("p0")), (), fallback=False, withheld=True
    )
    said = state("p0", 1, ["r0"], analytics="granted")
    projection.apply(facts([Told("profiles.updates", "p0", said)], projection))
    assert counts_in(redis) == expected_counts({uid("p0"): {"a", "b"}})
    projection.rest()
    assert not redis.exists(f"rb:rec:{uid('p0')}")


def test_an_erased_profile_that_was_not_counted_leaves_the_counts_alone(redis: Redis) -> None:
    fold(redis, baskets(["a", "b"], ["a", "b"]))
    fold(redis, [Told("profiles.updates", "p1", state("p1", 2, ["r1"], analytics="withdrawn"))])
    fold(redis, [Told("profiles.updates", "p1", None)])
    assert counts_in(redis) == expected_counts({uid("p0"): {"a", "b"}})
