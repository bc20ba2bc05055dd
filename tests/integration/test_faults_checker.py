"""The checker of the fault campaign on real servers: silent where all holds, and it names what was made wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import orjson
import psycopg
import pytest
from confluent_kafka import Producer
from psycopg.rows import TupleRow
from pydantic import SecretStr
from redis import Redis

from consumers.cache import Cache
from consumers.embeddings import Changed, Embeddings
from demo.stream import events
from faults.acts import Act, ActKind
from faults.checker import check
from faults.finding import Finding, FindingKind
from infra.topics import ensure_topics
from pipeline.answer import Answer, answer_review
from pipeline.configuration import load_model, load_policy
from pipeline.identity.ids import Id
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.revoking import revoke_constraint
from pipeline.settings import Settings
from pipeline.steward import Stewardship
from pipeline.store.database import Database
from pipeline.stream.kafka import producer_config
from pipeline.stream.publish import KafkaPublisher, Outgoing
from pipeline.stream.relay import Relay
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.rollback import rollback_merge
from schemas.codec import load_codec
from tests.servers import TestStack, flushed_redis, fresh_database, remove_topics
from tests.support.people import ring
from tests.support.pipeline import EventIn, StagesOnPostgres, event
from tests.support.processes import process
from tests.support.worker import eventually

PROCESSES = (
    "pipeline.normalize_stage",
    "pipeline.resolve_stage",
    "pipeline.stream.relay",
    "consumers.cache",
    "consumers.embeddings",
)
ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}
BO = {"first_name": "Bo", "last_name": "Lindqvist", "date_of_birth": "1975-03-04"}
TEA = {"items": [{"sku": "T-1", "quantity": 2, "category": "tea"}]}
NOWHERE = "00000000-0000-4000-8000-00000000cafe"
SMALL: tuple[EventIn, ...] = (
    event(1, {"email": "anna@mailbox.net"}, traits=ANNA),
    event(2, {"phone": "+14155550101"}),
    event(3, {"loyalty_id": "L-1001", "email": "bo@mailbox.net"}, traits=BO),
    event(4, {"loyalty_id": "L-2002", "email": "bo@mailbox.net"}, traits=BO),  # a steward is asked
    event(5, {"cookie_id": "c-1"}),
    event(6, {"email": "anna@mailbox.net", "phone": "+14155550101"}, payload=TEA),
    event(7),  # names nobody
    event(
        8, {"loyalty_id": ["L-3003", "L-4004"], "email": "cy@mailbox.net"}, payload=TEA
    ),  # two, by its source
)
IDS = [str(e["event_id"]) for e in SMALL]


def rows(settings: Settings, query: str, *parameters: object) -> list[TupleRow]:
    with psycopg.connect(settings.postgres_dsn.get_secret_value()) as connection:
        return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]


def damage(settings: Settings, *statements: str) -> None:
    """Statements that no part of the house would run."""
    with psycopg.connect(settings.postgres_dsn.get_secret_value()) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def acknowledged(settings: Settings, sent: Iterable[EventIn]) -> list[str]:
    """Produce raw events as an upstream team does; returns the ids of those that the broker has on disk."""
    safe: list[str] = []
    with closing(Producer(producer_config(settings, "test"))) as client:
        for e in sent:
            client.produce(
                settings.topic("events.raw"),
                orjson.dumps(e),
                on_delivery=lambda error, _, i=str(e["event_id"]): None if error else safe.append(i),
            )
        assert client.flush(30) == 0
    return safe


def at_rest(settings: Settings, count: int) -> None:
    query = "SELECT (SELECT count(*) FROM event_index), (SELECT count(*) FROM outbox)"
    eventually(lambda: rows(settings, query) == [(count, 0)], moving=lambda: rows(settings, query))


def stewardship_of(settings: Settings, database: Database, keys: KeyRing) -> Stewardship:
    return Stewardship(database, keys, load_codec(settings), load_model(settings), load_policy(settings))


def undo_a_merge(settings: Settings, keys: KeyRing) -> Act:
    with Database(settings.postgres_dsn.get_secret_value(), "test") as database:
        with database.transaction() as tx:
            ((merge,),) = tx.connection.execute(
                "SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged' ORDER BY decided_at LIMIT 1"
            ).fetchall()
        stewardship = stewardship_of(settings, database, keys)
        (done,) = rollback_merge(
            stewardship, merge, Asked("steward", "wrong person", datetime.now(UTC))
        ).merges
    return Act(ActKind.ROLLBACK, str(done.merge_log_id), "wrong person", (str(done.rollback_log_id),))


def bridged(count: int) -> tuple[list[EventIn], list[EventIn]]:
    """Customers of whom an e-mail and a cookie are seen alone, and then both together."""
    mails = [{"email": f"customer{n}@mailbox.net"} for n in range(count)]
    cookies = [{"cookie_id": f"cookie-{n}"} for n in range(count)]
    alone = [event(100 + n, identifiers) for n, identifiers in enumerate([*mails, *cookies])]
    both = zip(mails, cookies, strict=True)
    return alone, [event(300 + n, {**mail, **cookie}) for n, (mail, cookie) in enumerate(both)]


def test_a_running_house_with_repeats_merges_and_a_rollback_keeps_its_promises(
    house: Settings, tmp_path: Path
) -> None:
    settings = house.model_copy(update={"home": tmp_path})
    alone, together = bridged(12)
    waves = [
        [*SMALL[:5], *alone, *events()[:300], *alone],
        [*SMALL[4:], *together, *events()[200:350], *together],
        [event(900, {"phone": "+14155550101"}), *together, *events()[300:400]],
    ]
    safe: list[str] = []
    acts: list[Act] = []
    with ExitStack() as running:
        for name in PROCESSES:
            running.enter_context(process(name, settings, tmp_path / f"{name}.log"))
        for wave in waves:
            safe += acknowledged(settings, wave)
            at_rest(settings, len(set(safe)))
            if wave is waves[1]:
                acts.append(undo_a_merge(settings, load_key_ring(settings)))
        assert list(map(str, check(settings, safe, acts))) == []
    assert len(set(safe)) == len({str(e["event_id"]) for wave in waves for e in wave}) < len(safe)
    kinds = dict(rows(settings, "SELECT kind, count(*) FROM identity_merge_log GROUP BY kind"))
    assert kinds["rolled_back"] == 1
    assert kinds["merged"] >= 13


class SmallHouse:
    """A house in which a handful of events went all the way, within this process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.codec = load_codec(settings)
        self.redis = Redis.from_url(settings.redis_url, decode_responses=True)
        with (
            closing(KafkaPublisher(settings, "test", lambda: False)) as publisher,
            closing(StagesOnPostgres(settings.postgres_dsn.get_secret_value(), settings)) as stages,
        ):
            stages.send(*SMALL[:5])
            stages.send(*SMALL[5:], SMALL[0])
            self.states = stages.outbox("profiles.updates")
            with stages.database.transaction() as tx:  # so that all of it is published twice
                tx.connection.execute(
                    "INSERT INTO outbox (topic, keys, payloads) "
                    "SELECT topic, keys, payloads FROM outbox ORDER BY outbox_id"
                )
            relay = Relay(settings, stages.database, publisher, threading.Event(), load_key_ring(settings))
            while relay.publish_some():
                pass
            with Database(settings.postgres_dsn.get_secret_value(), "embeddings") as database:
                embeddings = Embeddings(database)
                embeddings.apply([Changed(profile=str(s["profile_id"])) for s in self.states])
        self.fill_cache()

    def fill_cache(self) -> None:
        """The cache as its consumer would leave it."""
        self.redis.flushdb()
        cache = Cache(self.redis)
        cache.apply([cache.read("profiles.updates", str(s["profile_id"]).encode(), s) for s in self.states])

    @contextmanager
    def copied(self) -> Iterator[SmallHouse]:
        """This house over a copy of its database, to be damaged; the cache is mended afterwards."""
        dsn = self.settings.postgres_dsn.get_secret_value()
        template = str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])
        with fresh_database(dsn_of_server(dsn), f"rb_test_{uuid4().hex[:12]}", template) as fresh:
            same = copy(self)
            same.settings = self.settings.model_copy(update={"postgres_dsn": SecretStr(fresh)})
            yield same
        self.fill_cache()

    def publish(self, topic: str, value: dict[str, object]) -> None:
        key = str(value["profile_id"]).encode()
        with closing(KafkaPublisher(self.settings, "test", lambda: False)) as publisher:
            publisher.publish([Outgoing(topic, key, self.codec.encode(topic, value))])

    def newest(self, status: str = "active") -> dict[str, object]:
        """The newest state of a profile that ended so, and has a version before it."""
        last = {s["profile_id"]: s for s in self.states}
        return next(s for s in last.values() if s["status"] == status and s["version"] != 1)

    def key(self, status: str = "active") -> str:
        return f"rb:profile:{self.newest(status)['profile_id']}"

    def found(self, *more: str, acts: Sequence[Act] = ()) -> list[Finding]:
        return check(self.settings, [*IDS, *more], acts, cache_timeout_s=0)


def dsn_of_server(dsn: str) -> str:
    """A database can be copied while nobody is connected to it."""
    return psycopg.conninfo.make_conninfo(dsn, dbname="postgres")


@pytest.fixture(scope="module")
def small(stack: TestStack, _migrated: str) -> Iterator[SmallHouse]:
    """One for all faults: each is planted in a copy."""
    with fresh_database(stack.postgres_dsn, f"rb_test_{uuid4().hex[:12]}", _migrated) as dsn:
        settings = stack.settings(
            postgres_dsn=dsn,
            topic_prefix=f"t{uuid4().hex[:8]}.",
            redis_url=flushed_redis(stack.redis_url, 14),
        )
        ensure_topics(settings)
        made = SmallHouse(settings)
        yield made
        made.redis.flushdb()
        made.redis.close()
        remove_topics(settings)


Plant = Callable[[SmallHouse], None]


def sql(*statements: str) -> Plant:
    return lambda house: damage(house.settings, *statements)


def stale_cache(house: SmallHouse) -> None:
    older = next(s for s in house.states if s["profile_id"] == house.newest()["profile_id"])
    house.redis.hset(house.key(), mapping={"version": 1, "state": orjson.dumps(older)})


UNLINKED = (
    "INSERT INTO event SELECT (jsonb_populate_record(e, jsonb_build_object('event_id', '"
    + NOWHERE
    + "'))).* "
    f"FROM event e WHERE event_id = '{IDS[0]}'"
)
CLAIMED = (
    f"INSERT INTO event_index SELECT '{NOWHERE}', record_id, accepted_at FROM event_index "
    f"WHERE event_id = '{IDS[0]}'"
)
AGAIN = (
    "INSERT INTO event SELECT (jsonb_populate_record(e, jsonb_build_object('accepted_at', e.accepted_at + "
    f"interval '1 microsecond'))).* FROM event e WHERE event_id = '{IDS[0]}'"
)
OF_ANNA = f"(SELECT profile_id FROM identity_record JOIN event USING (record_id) WHERE event_id = '{IDS[0]}')"
UNTIE = "ALTER TABLE customer_profile DROP CONSTRAINT customer_profile_merged_into_fkey"
UNTIE_RECORDS = "ALTER TABLE identity_record DROP CONSTRAINT identity_record_profile_id_fkey"
JOIN_BO = (
    "UPDATE identity_record SET profile_id = (SELECT profile_id FROM identity_record JOIN event USING (record_id) "
    f"WHERE event_id = '{IDS[2]}') WHERE record_id = (SELECT record_id FROM event WHERE event_id = '{IDS[3]}')"
)


def constraint(kind: str) -> str:
    """A steward's word on both Bos."""
    return (
        "INSERT INTO identity_constraint (constraint_id, kind, left_records, right_records, actor, reason, created_at) "
        f"SELECT gen_random_uuid(), '{kind}', ARRAY[a.record_id], ARRAY[b.record_id], 'steward', 'asked them', now() "
        f"FROM event a, event b WHERE a.event_id = '{IDS[2]}' AND b.event_id = '{IDS[3]}'"
    )


FORGOTTEN = (
    f"DELETE FROM identity_record WHERE record_id = (SELECT record_id FROM event WHERE event_id = '{IDS[4]}')"
)
UNTOLD = (
    f"INSERT INTO customer_profile (profile_id, created_at, updated_at) VALUES ('{NOWHERE}', now(), now())"
)
K = FindingKind


def named(given: object) -> str:
    """A case by what it has to find."""
    return "+".join(sorted(given)) if isinstance(given, set) else "planted"


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (sql(CLAIMED, UNLINKED), {K.EVENT_NOT_LINKED}),
        (sql(CLAIMED), {K.EVENT_NOT_STORED}),
        (sql(AGAIN), {K.EVENT_STORED_AGAIN}),
        (
            sql(FORGOTTEN, "UPDATE event_index SET record_id = NULL"),
            {K.CLAIM_DIFFERS, K.RECORD_MISSING, K.STATE_DIFFERS},
        ),
        (
            sql("UPDATE customer_profile SET version = version + 1 WHERE is_merged"),
            {K.VERSION_DIFFERS, K.CACHE_VERSION},
        ),
        (sql("UPDATE customer_profile SET golden = '{}' WHERE NOT is_merged"), {K.STATE_DIFFERS}),
        (
            sql(UNTIE, f"UPDATE customer_profile SET merged_into = '{NOWHERE}' WHERE is_merged"),
            {K.REDIRECT_NOWHERE, K.STATE_DIFFERS},
        ),
        (
            sql("UPDATE customer_profile SET merged_into = profile_id WHERE is_merged"),
            {K.REDIRECT_CYCLE, K.STATE_DIFFERS},
        ),
        (sql(UNTOLD), {K.PROFILE_UNTOLD, K.CACHE_MISSING}),
        (
            sql(UNTIE, UNTIE_RECORDS, "DELETE FROM customer_profile WHERE is_merged"),
            {K.PROFILE_MISSING, K.PROFILE_SURPLUS, K.CACHE_SURPLUS},
        ),
        (sql(JOIN_BO), {K.EXCLUSIVE_TWICE, K.STATE_DIFFERS, K.LINK_ASTRAY}),
        (sql(JOIN_BO, constraint("must_link")), {K.STATE_DIFFERS, K.LINK_ASTRAY}),
        (sql(JOIN_BO, "UPDATE customer_profile SET held = true"), {K.STATE_DIFFERS, K.LINK_ASTRAY}),
        (sql(constraint("must_link")), {K.JOINED_APART}),
        (sql(constraint("must_link"), constraint("cannot_link")), set()),
        (sql(constraint("cannot_link"), constraint("cannot_link")), {K.ACT_TWICE}),
        (
            sql(JOIN_BO, constraint("must_link"), constraint("cannot_link")),
            {K.STATE_DIFFERS, K.LINK_ASTRAY, K.PARTED_TOGETHER},
        ),
        (sql("DELETE FROM profile_embedding"), {K.EMBEDDING_MISSING}),
        (
            sql("UPDATE profile_embedding SET embedding = '{1:1}/768'"),
            {K.EMBEDDING_DIFFERS},
        ),
        (
            sql(
                "UPDATE profile_embedding "
                "SET embedding = ((embedding::vector::real[])[:767] || 0.001::real)::vector::sparsevec "
                f"WHERE profile_id = {OF_ANNA}"
            ),
            {K.EMBEDDING_DIFFERS},
        ),
        (
            sql(
                "INSERT INTO profile_embedding SELECT profile_id, (SELECT embedding FROM profile_embedding LIMIT 1) "
                "FROM customer_profile WHERE is_merged"
            ),
            {K.EMBEDDING_SURPLUS},
        ),
        (sql("INSERT INTO outbox (topic, keys, payloads) VALUES ('x', '{a}', '{b}')"), {K.OUTBOX_LEFT}),
    ],
    ids=named,
)
def test_a_fault_planted_is_found_and_named(small: SmallHouse, plant: Plant, kinds: set[FindingKind]) -> None:
    with small.copied() as house:
        plant(house)
        found = house.found()
    assert {finding.kind for finding in found} == kinds, "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (stale_cache, {K.CACHE_VERSION, K.CACHE_STATE}),
        (lambda house: house.redis.hset(house.key(), "state", "{}"), {K.CACHE_STATE}),
        (lambda house: house.redis.hset(f"rb:profile:{NOWHERE}", "version", 1), {K.CACHE_SURPLUS}),
        (lambda house: house.redis.delete(house.key("merged")), {K.CACHE_MISSING}),
    ],
    ids=named,
)
def test_a_cache_that_is_wrong_is_found(small: SmallHouse, plant: Plant, kinds: set[FindingKind]) -> None:
    plant(small)
    found = small.found()
    small.fill_cache()
    assert {finding.kind for finding in found} == kinds, "\n".join(map(str, found))


def test_the_cache_is_given_time_to_catch_up(small: SmallHouse) -> None:
    small.redis.flushdb()
    late = threading.Timer(1.5, small.fill_cache)
    late.start()
    assert check(small.settings, IDS, cache_timeout_s=20) == []
    late.join()


def test_nothing_is_found_without_a_fault_and_a_lost_event_is_named(small: SmallHouse) -> None:
    assert list(map(str, small.found())) == []
    lost = str(uuid4())
    assert list(map(str, small.found(lost))) == [
        f"event_not_stored: event {lost}: no row; expected one row",
        f"event_not_claimed: event {lost}: not in event_index; expected claimed once",
    ]


def answered(house: SmallHouse, answer: Answer) -> Act:
    """The review of both Bos, answered."""
    ((review,),) = rows(house.settings, "SELECT review_id::text FROM review_queue WHERE status = 'pending'")
    with Database(house.settings.postgres_dsn.get_secret_value(), "test") as database:
        stewardship = stewardship_of(house.settings, database, ring())
        done = answer_review(stewardship, Id.parse(review), answer, "steward", "asked", datetime.now(UTC))
    kind = {Answer.APPROVED: ActKind.APPROVE, Answer.REJECTED: ActKind.REJECT}[answer]
    return Act(kind, review, "asked", tuple(map(str, done.merge_log_ids)))


STEWARDS = {K.ACT_LOST, K.ACT_TWICE, K.PARTED_TOGETHER, K.JOINED_APART}
LOG_AGAIN = (
    "INSERT INTO identity_merge_log SELECT (jsonb_populate_record(l, "
    "jsonb_build_object('merge_log_id', gen_random_uuid()))).* FROM identity_merge_log l WHERE reason = 'asked'"
)
REVOKE = "UPDATE identity_constraint SET revoked_at = now(), revoked_by = 'steward', revoke_reason = 'it was wrong'"
UNANSWER = "UPDATE identity_constraint SET review_id = NULL"


@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize(
    ("damages", "kinds"),
    [
        ((), set()),
        (("UPDATE review_queue SET status = 'obsolete'",), {K.ACT_LOST}),
        ((REVOKE,), {K.ACT_LOST}),
        ((REVOKE, "UPDATE review_queue SET status = 'revoked'"), set()),
        (("UPDATE review_queue SET status = 'revoked'",), {K.ACT_LOST}),
        ((UNANSWER, "UPDATE identity_merge_log SET reason = 'other'"), {K.ACT_LOST}),
    ],
)
def test_an_answer_that_is_lost_is_found(
    small: SmallHouse, answer: Answer, damages: Sequence[str], kinds: set[FindingKind]
) -> None:
    with small.copied() as house:
        act = answered(house, answer)
        damage(house.settings, *damages)
        found = house.found(acts=[act])
    # that nothing was published, as no relay runs, is found as well
    assert {finding.kind for finding in found} & STEWARDS == kinds, "\n".join(map(str, found))


def test_an_answer_that_is_logged_twice_is_found(small: SmallHouse) -> None:
    with small.copied() as house:
        act = answered(house, Answer.APPROVED)
        assert act.logged
        damage(house.settings, LOG_AGAIN)
        assert {finding.kind for finding in house.found(acts=[act])} & STEWARDS == {K.ACT_TWICE}


APPROVED, REJECTED = Answer
STILL_SAID = "UPDATE identity_constraint SET revoked_at = NULL, revoked_by = NULL, revoke_reason = NULL"


@pytest.mark.parametrize(
    ("answer", "damage_done", "kinds"),
    [
        *((answer, "SELECT", set()) for answer in Answer),
        *((a, "UPDATE identity_constraint SET revoke_reason = 'other'", {K.ACT_LOST}) for a in Answer),
        (APPROVED, STILL_SAID, {K.ACT_LOST, K.JOINED_APART}),
        (REJECTED, STILL_SAID, {K.ACT_LOST}),
        (APPROVED, "UPDATE review_queue SET status = 'approved' WHERE status = 'revoked'", {K.ACT_LOST}),
        (REJECTED, "UPDATE review_queue SET status = 'rejected' WHERE status = 'revoked'", {K.ACT_LOST}),
        (APPROVED, "UPDATE identity_merge_log SET reason = 'other'", {K.ACT_LOST}),
    ],
)
def test_a_revocation_that_is_lost_is_found(
    small: SmallHouse, answer: Answer, damage_done: str, kinds: set[FindingKind]
) -> None:
    with small.copied() as house:
        acts = [answered(house, answer), revoked(house)]
        damage(house.settings, damage_done)
        found = house.found(acts=acts)
    assert {finding.kind for finding in found} & STEWARDS == kinds, "\n".join(map(str, found))


def revoked(house: SmallHouse) -> Act:
    """What was said last, taken back."""
    ((said,),) = rows(house.settings, "SELECT constraint_id::text FROM identity_constraint")
    with Database(house.settings.postgres_dsn.get_secret_value(), "test") as database:
        asked = Asked("steward", "it was wrong", datetime.now(UTC))
        stewardship = stewardship_of(house.settings, database, ring())
        done = revoke_constraint(stewardship, Id.parse(said), asked)
    return Act(ActKind.REVOKE, said, "it was wrong", tuple(map(str, done.merge_log_ids)))


@pytest.mark.parametrize(
    ("damages", "kinds"),
    [
        ((), set()),
        (("UPDATE identity_merge_log SET rolled_back_by = NULL",), {K.ACT_LOST}),
        (("UPDATE identity_constraint SET reason = 'other'",), {K.ACT_LOST}),
        (("UPDATE identity_merge_log SET reason = 'other'",), {K.ACT_LOST}),
        (
            (constraint("cannot_link"), "UPDATE identity_constraint SET reason = 'wrong person'"),
            {K.ACT_TWICE},
        ),
    ],
)
def test_a_rollback_that_is_lost_or_doubled_is_found(
    small: SmallHouse, damages: Sequence[str], kinds: set[FindingKind]
) -> None:
    with small.copied() as house:
        act = undo_a_merge(house.settings, ring())
        damage(house.settings, *damages)
        found = house.found(acts=[act])
    assert {finding.kind for finding in found} & STEWARDS == kinds, "\n".join(map(str, found))


def test_messages_that_should_not_be_are_found(house: Settings) -> None:
    """A version left out, though Postgres and the cache have the newest; one told otherwise; an event linked anew."""
    small = SmallHouse(house)
    state = small.newest()
    profile, version = str(state["profile_id"]), int(str(state["version"])) + 2
    small.publish("profiles.updates", {**state, "version": version})
    damage(house, f"UPDATE customer_profile SET version = {version} WHERE profile_id = '{profile}'")
    small.redis.hset(
        small.key(), mapping={"version": version, "state": orjson.dumps({**state, "version": version})}
    )
    gone = small.newest("merged")
    small.publish("profiles.updates", {**gone, "change": "split"})
    ((record, now),) = rows(house, "SELECT record_id::text, now() FROM event WHERE event_id = %s", IDS[4])
    link = {"profile_id": profile, "profile_version": 1, "record_id": record, "decision": "created"}
    event_of = {"event_id": IDS[4], "source": "web", "event_type": "page_view"}
    times = {"occurred_at": now, "accepted_at": now, "committed_at": now}
    small.publish("events.linked", {**link, **event_of, **times})
    partition = 3
    with closing(Producer(producer_config(house, "test"))) as client:
        client.produce(house.topic("events.linked"), b"no Avro", b"x", partition)
        assert client.flush(30) == 0
    found = small.found()
    assert {finding.kind: finding.subject.split()[:2] for finding in found} == {
        K.MESSAGE_BROKEN: ["events.linked", f"[{partition}]"],
        K.LINKED_DIFFERS: ["event", IDS[4]],
        K.LINK_ASTRAY: ["event", IDS[4]],
        K.VERSION_GAP: ["profile", profile],
        K.VERSION_TOLD_TWICE: ["profile", str(gone["profile_id"])],
    }, "\n".join(map(str, found))
    assert len(found) == 5
    small.redis.close()
