"""Keys rotated on a real Postgres while events flow: nothing is missed, nothing lost, and nothing left of what was."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from gateway.answers import Answer, Place
from gateway.sought import hashes_sought
from pipeline.codes import ReasonCode
from pipeline.erasure.erase import forget_now
from pipeline.erasure.receipt import checked
from pipeline.errors import BadMessage, Conflict
from pipeline.identity.ids import Id
from pipeline.identity.model import Identifier, IdentifierType
from pipeline.normalize_stage import NormalizeStage
from pipeline.privacy.keyring import key_ring
from pipeline.rotation.pace import Pace
from pipeline.rotation.retire import kept, retire
from pipeline.rotation.rotate import rewrap, rotate
from pipeline.store.key_versions import Step
from pipeline.store.roles import Role
from pipeline.stream.publish import Outgoing
from pipeline.unmerge.asked import Asked
from tests.integration.test_answers import home_of
from tests.integration.test_order import log
from tests.integration.test_unmerge import all_of_it, record
from tests.servers import TestStack, flushed_redis
from tests.support.letters import Letterbox
from tests.support.people import narrow
from tests.support.pipeline import StagesOnPostgres, event
from tests.support.reprocessing import Reprocessing
from tests.support.rotating import ASKED, QUICK, Rotator, faults, ring_file, ring_of, standing, stands_after
from tests.support.told import is_told

RULES = replace(narrow(4, 2), split_limit=1_000, version="narrow")
MAIL, PHONE, CARD = {"email": "anna@mailbox.net"}, {"phone": "+14155550101"}, {"loyalty_id": "L-7"}


@pytest.fixture
def stages(database: str, tmp_path: Path) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES, keys=ring_of(ring_file(tmp_path)))
    yield opened
    assert not faults(opened)
    is_told(opened)
    opened.close()


@pytest.fixture
def rotator(stages: StagesOnPostgres, database: str, tmp_path: Path) -> Iterator[Rotator]:
    opened = Rotator(database, tmp_path / "ring.json", stages)
    yield opened
    opened.close()


def customers(stages: StagesOnPostgres) -> None:
    """Anna by three records, Bo by one, and eight who share a till's address."""
    stages.send(event(1, MAIL, traits={"first_name": "Anna", "last_name": "Lee"}), event(2, PHONE))
    stages.send(event(3, MAIL | PHONE))
    stages.send(event(4, {"email": "bo@mailbox.net"}, traits={"first_name": "Bo", "last_name": "Ray"}))
    for n in range(10, 18):
        till = {"email": "till@mailbox.net", "cookie_id": f"c-{n}"}
        stages.send(event(n, till, traits={"first_name": "ABCDEFGH"[n - 10] + "ob", "last_name": f"Fox{n}"}))


VERSIONS = """SELECT ARRAY(SELECT DISTINCT hash_key_version FROM record_identifier ORDER BY 1),
    ARRAY(SELECT DISTINCT key_version FROM data_key ORDER BY 1), (SELECT count(*) FROM rekeyed)"""


def test_all_is_hashed_and_wrapped_anew(stages: StagesOnPostgres, rotator: Rotator) -> None:
    customers(stages)
    before = stages.rows("SELECT record_id, count(*) FROM match_key GROUP BY 1 ORDER BY 1")
    old = {k for (k,) in stages.rows("SELECT key FROM match_key")}
    profiles = stages.profiles()
    rotator.rotate()
    assert stages.rows(VERSIONS) == [([2], [2], 0)]
    assert stages.rows("SELECT record_id, count(*) FROM match_key GROUP BY 1 ORDER BY 1") == before
    assert old.isdisjoint(k for (k,) in stages.rows("SELECT key FROM match_key"))
    assert old.isdisjoint(
        k for (k,) in stages.rows("SELECT key FROM worn_key UNION SELECT key FROM shared_identifier")
    )
    assert stages.profiles() == profiles


def found_by(stages: StagesOnPostgres, email: str) -> list[Id]:
    """As the gateway looks for customers, knowing nothing of what is rotated."""
    sought = hashes_sought(stages.keys, [Identifier(IdentifierType.EMAIL, email)])
    with stages.database.transaction() as tx:
        rows = tx.rows("find_profiles", {**sought, "count": 1, "limit": 5, "offset": 0})
        none = dict.fromkeys(("source", "last_seen_from", "last_seen_before", "has_open_review"))
        none |= {"created_from": None, "created_before": None}
        fits = tx.rows(
            "search_fitting", {**none, **sought, "identifier_types": [], "profiles": [p for (p,) in rows]}
        )
    assert rows == fits
    return [p for (p,) in rows]


@pytest.mark.parametrize("step", [None, *Step])
def test_whoever_comes_at_any_step_is_met(
    stages: StagesOnPostgres, rotator: Rotator, step: Step | None
) -> None:
    customers(stages)
    if step is None:
        rotator.rotate()
    else:
        rotator.up_to(step)
        rotator.go_on(rows=2)
    assert not faults(stages)
    stages.send(event(20, MAIL | CARD), event(21, CARD | {"device_id": "d-1"}))
    stages.send(event(22, {"email": "till@mailbox.net", "cookie_id": "c-22"}, traits={"last_name": "Ivy"}))
    assert home_of(stages, 1) == home_of(stages, 20) == home_of(stages, 21)
    assert found_by(stages, "anna@mailbox.net") == [home_of(stages, 1)]
    assert not faults(stages)
    rotator.rotate()
    stages.send(event(23, CARD | PHONE))
    assert home_of(stages, 23) == home_of(stages, 1)


def test_a_limit_crossed_behind_the_switch_judges_what_was_found_before_it(
    stages: StagesOnPostgres, rotator: Rotator
) -> None:
    """The evidence names its keys as they were called, and the key that crosses is called otherwise."""
    bob = {"first_name": "Bob", "last_name": "Fox", "date_of_birth": "1980-01-02"}
    stages.send(*(event(n, {"cookie_id": f"c-{n}"}, traits=bob) for n in (1, 2, 3)))
    assert len(stages.profiles()) == 1
    rotator.up_to(Step.EVIDENCE)
    stages.send(*(event(n, {"cookie_id": f"c-{n}"}, traits=bob) for n in (4, 5)))
    assert len(stages.profiles()) == 5, "nobody is found by a key that so many share"
    assert not faults(stages)
    rotator.rotate()


def test_what_was_normalized_before_is_met_after(stages: StagesOnPostgres, rotator: Rotator) -> None:
    customers(stages)
    late = stages.normalized(event(20, MAIL | CARD))
    rotator.rotate()
    stages.deliver(late)
    stages.send(event(21, CARD))
    assert home_of(stages, 21) == home_of(stages, 1)
    assert stages.rows(VERSIONS) == [([2], [2], 0)]


@pytest.mark.parametrize("step", list(Step))
def test_one_that_is_killed_goes_on_where_it_was(
    stages: StagesOnPostgres, rotator: Rotator, database: str, step: Step
) -> None:
    customers(stages)
    killed = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_rotation", database, str(rotator.path), step],
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    assert rotator.step() is step
    assert not faults(stages)
    stages.send(event(20, MAIL | CARD), event(21, CARD | {"device_id": "d-1"}))
    rotator.rotate()
    assert stages.rows(VERSIONS) == [([2], [2], 0)]
    assert home_of(stages, 21) == home_of(stages, 1)


def test_events_flow_while_it_rotates(
    stages: StagesOnPostgres, stack: TestStack, rotator: Rotator, request: pytest.FixtureRequest
) -> None:
    events = log(3, count=150)
    batches = [events[:40], *(events[n : n + 2] for n in range(40, len(events), 2))]
    ended: list[int] = []

    def rotating() -> None:
        while len(ended) < 2:
            rotator.begin()
            rotate(rotator.house, ASKED, Pace(rows=3, sleep=lambda seconds: None))
            ended.append(len(stages.publisher.log))

    stages.send(*batches[0])
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(rotating)
        for batch in batches[1:]:
            stages.send(*batch)
        done.result()
    assert 40 < ended[0] < len(events), "it rotated while events flowed"
    assert stages.rows(VERSIONS) == [([3], [3], 0)]
    assert standing(stages) == stands_after(stack, request.getfixturevalue("_migrated"), batches, RULES)


def test_a_rotation_is_told_and_its_signatures_stay_checkable(
    stages: StagesOnPostgres, rotator: Rotator, database: str, stack: TestStack
) -> None:
    customers(stages)
    forgotten = forget_now(
        stages.stewardship(Role.ERASER), home_of(stages, 4), Asked("officer", "asked", ASKED.now)
    )
    rotator.rotate()
    retire(rotator.house, 1, ASKED, rotator.kept, redis_of(stack))
    assert forgotten.receipt is not None
    assert checked(forgotten.receipt, ring_of(rotator.path).receipt_keys()).key_version == 1
    told = [
        a for (a,) in stages.rows("SELECT action FROM audit_entry ORDER BY entry_id") if a.startswith("keys.")
    ]
    assert told == ["keys.rotation_begun", "keys.rotation_ended", "keys.retired"]
    # the same content is the same record still, though the version that names it is held no longer
    records = stages.rows("SELECT count(*) FROM identity_record")
    stages.keys.refresh()
    stages.send(event(30, MAIL, traits={"first_name": "Anna", "last_name": "Lee"}))
    assert stages.rows("SELECT count(*) FROM identity_record") == records


def test_who_is_forgotten_amid_a_rotation_leaves_nothing(stages: StagesOnPostgres, rotator: Rotator) -> None:
    stages.send(event(1, MAIL), event(2, PHONE))
    stages.send(event(3, MAIL | PHONE))  # a merge: its entry of the log holds hashes of the first version
    stages.send(event(4, {"email": "bo@mailbox.net"}, traits={"last_name": "Ray"}))
    rotator.rotate()
    stages.send(event(5, CARD | MAIL))
    rotator.up_to(Step.EVIDENCE)  # by the third version, with the second still there
    gone = home_of(stages, 1)
    hashes = [
        h.hex()
        for (h,) in stages.rows(
            "SELECT value_hash FROM record_identifier JOIN identity_record USING (record_id) WHERE profile_id = %s",
            gone,
        )
    ]
    assert len(hashes) == 2 * 6
    ((snapshot,),) = stages.rows("SELECT source_snapshot FROM identity_merge_log")
    assert snapshot["identifiers"]
    forget_now(
        stages.stewardship(Role.ERASER), gone, Asked("officer", "asked", datetime(2026, 2, 1, tzinfo=UTC))
    )
    assert not faults(stages)
    left = {n: str(r) for n, r in all_of_it(stages).items() if n not in ("outbox", "audit_entry", "erasure")}
    assert not [h for h in hashes if any(h in text for text in left.values())]
    assert all(
        not s.get("identifiers") and not t.get("identifiers")
        for s, t in stages.rows("SELECT source_snapshot, target_snapshot FROM identity_merge_log")
    )
    rotator.rotate()
    assert stages.rows(VERSIONS) == [([3], [3], 0)]


def test_a_replay_is_not_activated_amid_a_rotation_nor_behind_it(
    stages: StagesOnPostgres, rotator: Rotator, database: str
) -> None:
    customers(stages)
    replay = Reprocessing(stages, database)
    replay.build()
    rotator.up_to(Step.FILL)
    with pytest.raises(Conflict, match="keys are being rotated"):
        replay.activate()
    rotator.rotate()
    with pytest.raises(Conflict, match="hashed under version 1 of the keys"):
        replay.activate()
    with replay.shadow.database.transaction() as tx:
        replay.shadow.drop(tx)
    replay.build()
    assert not replay.compare().counts.merged
    replay.activate()
    replay.close()


def redis_of(stack: TestStack) -> Redis:
    opened: Redis = Redis.from_url(flushed_redis(stack.redis_url, 15))
    return opened


def test_what_a_process_with_an_older_ring_does_is_right_and_wrapped_anew(
    stages: StagesOnPostgres, rotator: Rotator, stack: TestStack
) -> None:
    customers(stages)
    late = key_ring(ring_of(rotator.path).file)  # it is never read again
    stages.normalize = NormalizeStage(
        stages.settings, stages.database, stages.publisher, late, stages.codec, stages.rules
    )
    rotator.rotate()
    stages.send(
        event(20, MAIL | CARD), event(21, CARD | {"device_id": "d-1"})
    )  # hashed and wrapped by version 1
    assert home_of(stages, 1) == home_of(stages, 20) == home_of(stages, 21)
    assert stages.rows(VERSIONS) == [([2], [1, 2], 0)]
    redis = redis_of(stack)
    with pytest.raises(Conflict, match="version 1 cannot be retired: 2 in data_key"):
        retire(rotator.house, 1, ASKED, rotator.kept, redis)
    assert rewrap(rotator.house, QUICK) == 2
    assert stages.rows(VERSIONS) == [([2], [2], 0)]
    retire(rotator.house, 1, ASKED, rotator.kept, redis)
    redis.close()


def test_a_record_that_nobody_can_open_is_not_in_the_way(stages: StagesOnPostgres, rotator: Rotator) -> None:
    customers(stages)
    gone = record(stages, 4)
    with stages.database.transaction() as tx:
        tx.connection.execute("DELETE FROM data_key WHERE owner_id = %s", (gone,))
    rotator.rotate()
    assert stages.rows(VERSIONS) == [([2], [2], 0)]
    assert stages.rows("SELECT count(*) FROM match_key WHERE record_id = %s", gone) == [(0,)]


def test_dead_letters_are_replayed_and_forgotten_whatever_they_are_hashed_by(
    database: str, tmp_path: Path, stack: TestStack
) -> None:
    path = ring_file(tmp_path)
    box = Letterbox(database, ring_of(path))
    box.send(orjson.dumps(event(1, MAIL)))
    late = [
        box.message(Outgoing("events.normalized", b"", v))
        for v in box.stages.normalized(event(2, MAIL), event(3, MAIL))
    ]
    for message in late:
        batch = box.stages.batch("resolve", [message])
        box.stages.resolve.bury(
            message, batch.positions[0], BadMessage(ReasonCode.PROCESSING_FAILED, "a test")
        )
    box.pump()
    rotator = Rotator(database, path, box.stages)
    rotator.rotate()
    replayed, left = box.waiting()
    box.desk.replay([replayed.dead_letter_id], "ops", "it is mended")
    box.pump()
    assert len(box.stages.profiles()) == 1
    with pytest.raises(Conflict, match="in dead letters of"):
        retire(rotator.house, 1, ASKED, rotator.kept, redis_of(stack))
    forget_now(
        box.stages.stewardship(Role.ERASER), home_of(box.stages, 1), Asked("officer", "asked", ASKED.now)
    )
    assert box.desk.show(left.dead_letter_id, "officer").unread is not None
    rotator.close()
    box.close()


async def test_a_version_is_retired_when_nothing_rests_on_it(
    stages: StagesOnPostgres, rotator: Rotator, database: str, stack: TestStack
) -> None:
    customers(stages)
    redis, asking = redis_of(stack), AsyncRedis.from_url(flushed_redis(stack.redis_url, 15))

    def refused() -> str:
        with pytest.raises(Conflict) as caught:
            retire(rotator.house, 1, ASKED, rotator.kept, redis)
        return str(caught.value)

    place = Place(asking, stages.keys, "k", "key-1", "asked")
    await place.begin()
    await place.end(Answer("asked", 202, b"{}"))
    assert "current" in refused()
    rotator.up_to(Step.FILL)
    assert "records are found by it" in refused()
    assert "in data_key" in refused()
    rotator.up_to(Step.EVIDENCE)
    assert "in match_key" in refused()
    assert "in record_identifier" in refused()
    rotator.rotate()
    assert refused() == "version 1 cannot be retired: 1 in answers remembered for a day (Redis)"
    again = Place(asking, rotator.house.ring, "k", "key-1", "asked")
    assert await again.begin() == Answer(
        "asked", 202, b"{}"
    )  # a write sent again is answered, not done again
    await asking.flushdb()
    await asking.aclose()
    stages.keys.refresh()
    replay = Reprocessing(stages, database)
    replay.build()
    with stages.database.transaction() as tx:
        tx.connection.execute("UPDATE shadow.data_key SET key_version = 1")
    assert "in shadow.data_key" in refused()
    with replay.shadow.database.transaction() as tx:
        replay.shadow.drop(tx)
    replay.close()
    retire(rotator.house, 1, ASKED, rotator.kept, redis)
    assert ring_of(rotator.path).versions == (2,)
    with stages.database.transaction() as tx:
        assert [k.version for k in kept(tx, rotator.house, redis)] == [2]
    redis.close()
