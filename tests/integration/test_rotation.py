"""Keys rotated on a real Postgres while events flow: nothing is missed, nothing lost, and nothing left of what was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.store.key_versions import Step
from tests.integration.test_answers import home_of
from tests.support.people import narrow
from tests.support.pipeline import StagesOnPostgres, event
from tests.support.rotating import Rotator, faults, ring_file, ring_of
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
    assert not faults(stages)
    rotator.rotate()
    stages.send(event(23, CARD | PHONE))
    assert home_of(stages, 23) == home_of(stages, 1)


def test_what_was_normalized_before_is_met_after(stages: StagesOnPostgres, rotator: Rotator) -> None:
    customers(stages)
    late = stages.normalized(event(20, MAIL | CARD))
    rotator.rotate()
    stages.deliver(late)
    stages.send(event(21, CARD))
    assert home_of(stages, 21) == home_of(stages, 1)
    assert stages.rows(VERSIONS) == [([2], [2], 0)]
