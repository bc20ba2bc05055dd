"""A replay beside a house that runs: killed and gone on with, workers and stewards at the same time, and by command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.answer import Answer
from pipeline.errors import BadInput, RetryLater
from pipeline.identity.sharing import OVERFULL
from pipeline.replay.build import FIRST, Builder
from pipeline.store.activations import keep_out, stand_alone
from pipeline.store.database import Database
from tests.integration.test_answers import doubt, proposal
from tests.integration.test_order import log
from tests.integration.test_replay import (
    APART,
    CARD,
    LIVE,
    LOOSE,
    PHONE,
    RENAMED,
    A,
    C,
    fresh,
    home_of,
    record_of,
    same,
    stands,
    three,
)
from tests.servers import TestStack
from tests.support.people import narrow, policy
from tests.support.pipeline import StagesOnPostgres, event
from tests.support.reprocessing import Reprocessing, sound_stages
from tests.support.told import told


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    with sound_stages(database, LIVE) as opened:
        yield opened


@pytest.fixture
def replay(stages: StagesOnPostgres, database: str) -> Iterator[Reprocessing]:
    with closing(Reprocessing(stages, database)) as opened:
        yield opened


def test_a_build_that_is_killed_goes_on_where_it_was(
    stages: StagesOnPostgres, replay: Reprocessing, database: str
) -> None:
    stages.deploy(policy())
    stages.send(*log(1), batch=30)
    command = [sys.executable, "-m", "tests.support.killed_replay", database]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    ((decided,),) = stages.rows("SELECT count(*) FROM shadow.event")
    assert decided == 14
    replay.build()
    assert stages.rows("SELECT count(*) FROM shadow.event") == [(90,)]
    assert replay.compare().is_none


def test_a_key_that_is_over_full_no_longer_brings_people_together_again(
    stages: StagesOnPostgres, replay: Reprocessing
) -> None:
    stages.deploy(replace(narrow(3, 100), split_limit=1_000, version="narrow"))
    stages.send(*(event(n, A | {"cookie_id": f"c-{n}"}) for n in range(1, 7)))
    assert stages.rows("SELECT FROM worn_key WHERE step = %s", OVERFULL)
    stages.deploy(LIVE)
    stages.send(event(7, A | {"cookie_id": "c-7"}))  # the worker of now learns that the key is over-full
    alone = home_of(stages, 7)
    assert alone != home_of(stages, 1)
    replay.compare()
    replay.activate()
    assert not stages.rows("SELECT FROM worn_key WHERE step = %s", OVERFULL)
    stages.send(event(8, A | {"cookie_id": "c-8"}))
    assert {home_of(stages, n) for n in range(1, 9)} == {home_of(stages, 1)}


def test_nobody_decides_while_it_is_activated(
    stages: StagesOnPostgres, replay: Reprocessing, database: str
) -> None:
    stages.deploy(APART)
    three(stages)
    stages.deploy(LIVE)
    replay.build()
    with ThreadPoolExecutor(1) as pool, Database(database, "worker") as other:
        with other.transaction() as tx:
            keep_out(tx)
            done = pool.submit(replay.activate)
            while not stages.rows(WAITING):
                assert not done.done()
            assert len({home_of(stages, n) for n in (1, 2, 3)}) == 3
        assert done.result().difference.counts.merged == 3
        with other.transaction() as tx:
            assert keep_out(tx).activation == 1
    assert len({home_of(stages, n) for n in (1, 2, 3)}) == 1


WAITING = """SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


@pytest.mark.parametrize("who", ["worker", "steward"])
def test_workers_and_stewards_wait_for_an_activation(
    stages: StagesOnPostgres, database: str, who: str
) -> None:
    three(stages)
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log")
    more = stages.normalized(event(5, CARD | A))
    with (
        ThreadPoolExecutor(1) as pool,
        Database(database, "activation") as other,
        Database(database, "looks on") as third,
    ):
        with other.transaction() as tx:
            stand_alone(tx)
            act = (lambda: stages.deliver(more)) if who == "worker" else (lambda: stages.rollback(merge))
            done = pool.submit(act)
            waiting = False
            while not waiting:
                assert not done.done()
                with third.transaction() as look:
                    waiting = bool(look.connection.execute(WAITING).fetchall())
        done.result()


def test_a_build_locks_nothing_of_the_live_house(stages: StagesOnPostgres, replay: Reprocessing) -> None:
    stages.send(*log(1), batch=30)
    replay.shadow.begin(replay.logic, None, datetime.now(UTC))
    builder = Builder(replay.shadow, replay.logic, 50)
    with replay.shadow.database.transaction() as tx:
        pid = tx.connection.info.backend_pid
        builder._next(tx, FIRST)
        locked = stages.rows(
            """SELECT DISTINCT locktype, mode, relation::regclass::text FROM pg_locks
               LEFT JOIN pg_class c ON c.oid = relation
               WHERE pid = %s AND (locktype = 'advisory' OR c.relnamespace = 'public'::regnamespace)""",
            pid,
        )
    assert {mode for _, mode, _ in locked} == {"AccessShareLock"}
    assert "event" in {name for *_, name in locked}


def test_workers_go_on_through_it(
    stages: StagesOnPostgres,
    replay: Reprocessing,
    database: str,
    stack: TestStack,
    request: pytest.FixtureRequest,
) -> None:
    events = log(3, 150)
    stages.send(*events[:60], batch=20)
    stages.deploy(RENAMED)
    rest = [stages.normalized(*events[n : n + 3]) for n in range(60, 150, 3)]
    begun, ended = Event(), Event()

    def work() -> int:
        after = 0
        for values in rest:
            while True:
                try:
                    stages.deliver(values)
                    break
                except RetryLater:
                    continue
            begun.set()
            after += ended.is_set()
        return after

    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(work)
        assert begun.wait(60)
        replay.build()
        replay.activate()
        ended.set()
        worker.result()
    with fresh(stack, request.getfixturevalue("_migrated"), RENAMED, *events) as other:
        same(stands(stages), stands(other))


def test_questions_follow_and_answers_stay(stages: StagesOnPostgres, replay: Reprocessing) -> None:
    rules = replace(policy(), split_limit=1, version="here")
    stages.deploy(rules)
    asked = doubt(stages)
    found = replay.compare()
    assert found.is_none
    replay.activate()
    assert stages.review() == asked  # the same question, and nobody is asked again
    stages.deploy(replace(RENAMED, split_limit=1))
    replay.build()
    replay.activate()
    anew = stages.review()
    assert stages.rows("SELECT low_record, high_record FROM review_queue WHERE review_id = %s", anew) == [
        tuple(sorted((record_of(stages, 1), record_of(stages, 2)), key=str))
    ]
    stages.answer(anew, Answer.REJECTED)
    stages.deploy(replace(LOOSE, split_limit=1))
    replay.build()
    replay.activate()
    assert home_of(stages, 1) != home_of(stages, 2)
    assert stages.rows("SELECT count(*) FROM review_queue WHERE status = 'rejected'") == [(1,)]
    assert not stages.rows("SELECT FROM review_queue WHERE status = 'pending'")


def test_a_proposed_split_is_proposed_again(stages: StagesOnPostgres, replay: Reprocessing) -> None:
    stages.deploy(replace(policy(), split_limit=1, version="here"))
    asked = proposal(stages)
    whole = home_of(stages, 1)
    stages.deploy(replace(stages.rules, version="there"))
    replay.compare()
    replay.activate()
    assert home_of(stages, 1) == whole == home_of(stages, 2)
    assert stages.review("split") == asked
    stages.answer(asked, Answer.APPROVED)
    assert home_of(stages, 1) != home_of(stages, 2)


def test_what_nobody_can_open_stays_with_its_customer(stages: StagesOnPostgres, replay: Reprocessing) -> None:
    three(stages)
    stages.send(event(15, C), event(16, C | {"cookie_id": "c-1"}))
    stages.send(
        event(25, {"email": "dora@mailbox.net"}), event(26, {"email": "dora@mailbox.net", "cookie_id": "c-2"})
    )
    assert home_of(stages, 25) == home_of(stages, 26) != home_of(stages, 15) == home_of(stages, 16)
    emptied = home_of(stages, 25)
    with stages.database.transaction() as tx:
        tx.connection.execute(
            """DELETE FROM data_key WHERE owner_id IN (SELECT unnest(ARRAY[raw_id, record_id]) FROM event
               WHERE event_id::text LIKE '%15' OR event_id::text LIKE '%25')"""
        )
        tx.run(
            "insert_constraint",
            {
                "constraint_id": record_of(stages, 16), "kind": "must_link", "left": [record_of(stages, 1)],
                "right": [record_of(stages, 16)], "actor": "ann", "reason": "one", "now": "2026-01-01",
                "review_id": None,
            },
        )  # fmt: skip
    stages.deploy(
        replace(LIVE, version="nobody", placeholders=policy().placeholders | {"c-2", "dora@mailbox.net"})
    )
    found = replay.compare()
    assert found.withheld == {emptied}
    replay.activate()
    assert home_of(stages, 1) == home_of(stages, 16) == home_of(stages, 15)
    assert record_of(stages, 26) is None
    assert home_of(stages, 25) == emptied
    assert told(stages)[str(emptied)]["golden_record"] == {}


def run(*command: str) -> str:
    result = CliRunner().invoke(app, ["replay", *command], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("command_line")
def test_by_command(stages: StagesOnPostgres) -> None:
    stages.deploy(APART)
    anna = {"first_name": "Anna", "last_name": "Kowalski"}
    stages.send(event(1, A, traits=anna), event(4, CARD))
    stages.send(event(2, A | PHONE, traits=anna))
    older, younger = home_of(stages, 1), home_of(stages, 2)
    assert older != younger
    with pytest.raises(BadInput, match="beginning"):
        run()
    with pytest.raises(BadInput, match="--from"):
        run("--from", "yesterday")
    shown = run("--from", "beginning")
    assert f"{older} and {younger} would become one customer" in shown
    assert "k***" in shown
    assert "a***@m***.net" in shown
    assert "kowalski" not in shown.casefold()
    assert "The resolve stage decides by" in shown
    data = json.loads(run("--json"))
    assert data["counts"]["merged"] == 2
    assert data["changes"] == [{"kind": "merge", "before": [str(older), str(younger)], "after": [str(older)]}]
    assert data["plan"] in shown
    assert "--activate needs" in CliRunner().invoke(app, ["replay", "--activate"]).output
    done = run("--activate", "--reason", "a better policy", "--plan", data["plan"])
    assert "1 on identity.merges, 2 on profiles.updates" in done
    assert home_of(stages, 2) == older
    stages.deploy(policy())
    run("--from", "2026-01-01", "--shadow", "another")
    assert run("--drop", "--shadow", "another") == "Shadow another is removed.\n"
    ((actor, reason, counts),) = stages.rows("SELECT actor, reason, counts FROM activation")
    assert (actor, reason, counts["merged"]) == ("cli", "a better policy", 2)
