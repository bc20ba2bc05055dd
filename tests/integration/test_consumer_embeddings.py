"""The embeddings consumer: each customer's vector is that of what stands, whatever came how often, in any order."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np
import pytest
from redis import Redis

from consumers.embeddings import Changed, Embeddings
from faults.embeddings import expected
from pipeline.customer.embedding import MOST_ORDERS, embedding
from pipeline.identity.consent import ConsentState
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.roles import Role, as_role
from pipeline.stream.publish import KafkaPublisher
from pipeline.stream.relay import Relay
from tests.integration.test_answers import RULES, home_of
from tests.integration.test_unmerge import CARD, MAIL, PHONE, merges, record, take
from tests.support.people import ring
from tests.support.pipeline import EventIn, StagesOnPostgres, event
from tests.support.reprocessing import Reprocessing
from tests.support.worker import Worker, eventually

MODULE = "consumers.embeddings"
TOPICS = ("profiles.updates", "events.linked")
HELD = "SELECT profile_id::text, embedding::vector::real[] FROM profile_embedding"


class Following:
    """Stages, and the consumer without Kafka: `follow` hands it what was told since."""

    def __init__(self, dsn: str) -> None:
        self.stages = StagesOnPostgres(dsn, rules=RULES)
        self.consumer = Embeddings(Database(as_role(self.stages.settings, Role.EMBEDDINGS), "embeddings"))
        self.told: list[Changed] = []
        self._read = 0

    def follow(self) -> None:
        facts = self.news()
        self.consumer.apply(facts)

    def news(self) -> list[Changed]:
        rows = self.stages.rows(
            "SELECT topic, keys, payloads, outbox_id FROM outbox WHERE topic = ANY(%s) AND outbox_id > %s "
            "ORDER BY outbox_id",
            list(TOPICS),
            self._read,
        )
        facts = []
        for topic, keys, payloads, number in rows:
            self._read = number
            for key, payload in zip(keys, payloads, strict=True):
                value = self.stages.codec.decode(topic, payload) if payload else None
                fact = self.consumer.read(topic, key, value)
                facts += [fact] if fact else []
        self.told += facts
        return facts

    def right(self) -> Mapping[str, Sequence[float]]:
        """What is held, which is what stands."""
        with self.stages.database.transaction() as tx:
            should = expected(tx)
        held: dict[str, Sequence[float]] = dict(self.stages.rows(HELD))
        assert held.keys() == should.keys()
        for profile, vector in held.items():
            np.testing.assert_allclose(vector, should[profile], atol=1e-6)
        return held

    def versions_of_rows(self) -> list[tuple[object, ...]]:
        return sorted(self.stages.rows("SELECT profile_id::text, xmin::text FROM profile_embedding"))


@pytest.fixture
def house_of(database: str) -> Iterator[Following]:
    made = Following(database)
    yield made
    made.stages.close()


def buys(number: int, who: Mapping[str, object], *skus: str, **more: object) -> EventIn:
    items = [{"sku": s, "quantity": 1, "category": s.partition("-")[0]} for s in skus]
    return event(number, who, payload={"items": items}, **more)


def test_it_follows_merges_rollbacks_and_splits(house_of: Following) -> None:
    stages = house_of.stages
    stages.send(buys(1, MAIL, "tea-1", "tea-2"), event(3, CARD))
    stages.send(buys(2, PHONE, "cup-1"))
    house_of.follow()
    anna, bo = str(home_of(stages, 1)), str(home_of(stages, 2))
    apart = house_of.right()
    assert apart.keys() == {anna, bo}
    stages.send(buys(4, MAIL | PHONE, "tea-1"))
    house_of.follow()
    assert house_of.right().keys() == {anna}, "who is merged away has none"
    stages.send(buys(5, PHONE, "cup-2"))
    house_of.follow()
    stages.rollback(merges(stages)[0])
    house_of.follow()
    assert house_of.right().keys() == {anna, bo}
    both, before = home_of(stages, 4), house_of.right()
    take(stages, record(stages, 4), profile=both)
    assert home_of(stages, 4) != both
    house_of.follow()
    assert house_of.right()[str(both)] != before[str(both)]


def says(number: int, state: str) -> EventIn:
    return event(number, MAIL, consent=[{"purpose": "personalisation", "state": state}])


def test_who_does_not_consent_to_personalisation_has_no_vector(house_of: Following) -> None:
    stages = house_of.stages
    stages.send(buys(1, MAIL, "tea-1"), buys(2, PHONE, "tea-1"))
    house_of.follow()
    anna, bo = str(home_of(stages, 1)), str(home_of(stages, 2))
    assert house_of.right().keys() == {anna, bo}
    stages.send(says(3, "withdrawn"))
    house_of.follow()
    assert dict(stages.rows(HELD)).keys() == {bo}
    stages.send(buys(4, MAIL, "tea-2"))
    house_of.follow()
    assert dict(stages.rows(HELD)).keys() == {bo}
    stages.send(says(5, "granted"))
    house_of.follow()
    assert house_of.right().keys() == {anna, bo}
    unasked = Embeddings(stages.database, {"personalisation": ConsentState.WITHDRAWN})
    unasked.apply(house_of.told)
    assert dict(stages.rows(HELD)).keys() == {anna}, "where the policy wants to be asked first"


def test_whatever_comes_again_in_any_order_changes_no_row(house_of: Following) -> None:
    who = [MAIL, PHONE, CARD, MAIL | PHONE, {"cookie_id": "c-1"}, {"cookie_id": "c-1"} | CARD]
    chance = random.Random(7)
    late: list[Changed] = []
    for start in range(0, 60, 5):
        numbers = range(start, start + 5)
        house_of.stages.send(
            *(buys(n, chance.choice(who), f"sku-{chance.randint(1, 9)}", minute=60 - n) for n in numbers)
        )
        if start == 30:
            house_of.stages.rollback(merges(house_of.stages)[0])
        late += house_of.news()
        chance.shuffle(late)
        half = len(late) // 2
        house_of.consumer.apply(late[:half])
        late = late[half:]
    house_of.consumer.apply(late)
    assert house_of.right()
    before = house_of.versions_of_rows()
    again = house_of.told * 2
    chance.shuffle(again)
    for start in range(0, len(again), 50):
        house_of.consumer.apply(again[start : start + 50])
    house_of.right()
    assert house_of.versions_of_rows() == before


def test_what_is_sent_back_and_who_buys_nothing_has_none(house_of: Following) -> None:
    back = {"items": [{"sku": "tea-1", "quantity": -1}], "amount": -3}
    house_of.stages.send(event(1, MAIL, payload=back), event(2, PHONE, payload={"amount": 3}))
    house_of.follow()
    assert house_of.right() == {}
    house_of.stages.send(buys(3, MAIL, "tea-1"))
    house_of.follow()
    assert len(house_of.right()) == 1


def test_the_newest_orders_count(house_of: Following) -> None:
    """And what they are does not hang on the order they came in."""
    orders = [buys(n, MAIL, "old-1" if n < 6 else f"new-{n % 3}") for n in range(1, MOST_ORDERS + 6)]
    random.Random(1).shuffle(orders)
    house_of.stages.send(*orders)
    house_of.follow()
    (found,) = house_of.right().values()
    bought = {f"sku:new-{k}": sum(n % 3 == k for n in range(6, MOST_ORDERS + 6)) for k in range(3)}
    should = embedding({**bought, "category:new": MOST_ORDERS})
    assert should is not None
    np.testing.assert_allclose(found, should, atol=1e-6)


def test_an_activation_that_tells_nobody_is_followed(house_of: Following, database: str) -> None:
    """Of events that buy other things by today's logic, no message comes."""
    stages = house_of.stages
    stages.send(buys(1, MAIL, "tea-1"))
    with stages.database.transaction() as tx:  # as earlier logic read it
        tx.connection.execute("ALTER TABLE event DISABLE TRIGGER event_immutable")
        tx.connection.execute("UPDATE event SET items = '[]'")
        tx.connection.execute("ALTER TABLE event ENABLE TRIGGER event_immutable")
    house_of.follow()
    assert house_of.right() == {}
    with closing(Reprocessing(stages, database)) as replay:
        replay.compare()
        done = replay.activate()
    assert done.published["events.linked"] == done.published["profiles.updates"] == 0
    house_of.consumer.rest()
    assert len(house_of.right()) == 1


def test_it_waits_for_nobody_that_decides(house_of: Following) -> None:
    house_of.stages.send(buys(1, MAIL, "tea-1"))
    facts = house_of.news()
    with house_of.stages.database.transaction() as tx:
        tx.connection.execute("SELECT FROM customer_profile, identity_record FOR UPDATE")
        applying = threading.Thread(target=house_of.consumer.apply, args=(facts,), daemon=True)
        applying.start()
        applying.join(20)
        assert not applying.is_alive()
    house_of.right()


def test_who_read_before_another_wrote_does_not_write_after(house_of: Following, database: str) -> None:
    """A second consumer computes nothing while the first is between reading and writing."""
    house_of.stages.send(buys(1, MAIL, "tea-1"))
    facts = house_of.news()
    with Database(database, "another") as another:
        with another.transaction() as tx:
            tx.run("embeddings_turn")
            applying = threading.Thread(target=house_of.consumer.apply, args=(facts,), daemon=True)
            applying.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            eventually(lambda: house_of.stages.rows(waiting) == [(1,)])
            house_of.stages.send(buys(2, MAIL, "tea-2"))
        applying.join(20)
        assert not applying.is_alive()
    house_of.right()


def test_killed_and_with_its_positions_lost_it_ends_right(house: Settings) -> None:
    dsn = house.postgres_dsn.get_secret_value()
    with (
        closing(StagesOnPostgres(dsn, house, RULES)) as stages,
        closing(KafkaPublisher(house, "test", lambda: False)) as publisher,
        Redis.from_url(house.redis_url, decode_responses=True) as redis,
        Database(dsn, "test") as database,
    ):
        relay = Relay(house, database, publisher, threading.Event(), ring())

        def send(*events: EventIn) -> None:
            stages.send(*events)
            while relay.publish_some():
                pass

        def right() -> bool:
            with database.transaction() as tx:
                should = {p: np.float32(v) for p, v in expected(tx).items()}
            held = dict(stages.rows(HELD))
            return held.keys() == should.keys() and all(np.allclose(held[p], should[p]) for p in held)

        send(*(buys(n, {"cookie_id": f"c-{n % 9}"}, f"sku-{n % 5}") for n in range(1, 60)))
        with Worker(MODULE, house, RB_BATCH_MAX_EVENTS="20") as worker:
            eventually(lambda: bool(stages.rows(HELD)))
            worker.kill()
        send(buys(60, MAIL, "sku-1"), buys(61, PHONE, "sku-2"), buys(62, MAIL | PHONE, "sku-3"))
        with Worker(MODULE, house) as worker:
            eventually(right)
            eventually(lambda: redis.exists("rb:position:" + house.topic("embeddings")) == 1)
            assert worker.stop() == 0
        stages.rows("DELETE FROM profile_embedding RETURNING 1")
        redis.flushdb()
        with Worker(MODULE, house) as worker:
            eventually(right)
            assert worker.stop() == 0
