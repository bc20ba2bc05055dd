"""Unmerging over HTTP and from the command line: rehearsed, planned, done; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.integration.test_answers import RULES, home_of
from tests.integration.test_unmerge import chain, record
from tests.support.pipeline import StagesOnPostgres

WHY = {"reason": "two people", "actor": "ann"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


async def test_a_merge_is_rehearsed_and_undone_as_planned(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    first, _ = chain(stages)
    path = f"/v1/merge-logs/{first}/rollback"
    told = (await client.post(path, json={**WHY, "dry_run": True})).json()
    assert told["rehearsed"]
    assert [m["destination"] for m in told["moves"]] == ["restored"]
    assert home_of(stages, 1) == home_of(stages, 2)
    wrong = await client.post(path, json={**WHY, "plan": "0" * 16})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "CONFLICT")
    done = await client.post(path, json={**WHY, "plan": told["plan"]})
    assert done.status_code == 200, done.text
    assert done.json()["merges"][0]["restored"] == str(home_of(stages, 2))
    assert home_of(stages, 1) != home_of(stages, 2)


async def test_many_merges_are_undone_as_planned_only(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    chain(stages)
    path = "/v1/merge-logs:rollback"
    for body, named in (({}, "since"), ({"since": "2026-01-01T00:00:00Z"}, "plan")):
        refused = await client.post(path, json={**WHY, **body})
        assert refused.status_code == 400
        assert refused.json()["error"]["message"].startswith(f"{named}: ")
    chosen = {**WHY, "since": "2026-01-01T00:00:00Z"}
    told = (await client.post(path, json={**chosen, "dry_run": True})).json()
    assert [len(g["merges"]) for g in told["groups"]] == [2]
    done = (await client.post(path, json={**chosen, "plan": told["plan"]})).json()
    assert all(m["rollback_log_id"] for g in done["groups"] for m in g["merges"])
    assert len({home_of(stages, n) for n in (1, 2, 4)}) == 3


async def test_records_are_taken_out_of_a_profile(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    chain(stages)
    kept = home_of(stages, 1)
    path = f"/v1/profiles/{kept}/split"
    nothing = await client.post(path, json=WHY)
    assert nothing.status_code == 400
    assert nothing.json()["error"]["message"].startswith("records: none is named")
    assert (await client.post(f"/v1/profiles/{uuid4()}/split", json=WHY)).status_code == 404
    done = await client.post(path, json={**WHY, "records": [str(record(stages, 2))]})
    assert done.status_code == 200, done.text
    (move,) = done.json()["moves"]
    assert (move["source"], move["target"]) == (str(kept), str(home_of(stages, 2)))
    assert home_of(stages, 2) != kept == home_of(stages, 1)


def run(*command: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["merge", *command, "--reason", "two people"])
    assert result.exit_code == status, result.output
    return result.output


@pytest.mark.usefixtures("command_line")
def test_the_command_line_rehearses_and_does(stages: StagesOnPostgres) -> None:
    first, _ = chain(stages)
    told = run("rollback", str(first), "--dry-run")
    assert f"Merge {first} would be undone" in told
    assert "which comes back under its old id" in told
    assert home_of(stages, 1) == home_of(stages, 2)
    plan = told.split("--plan ")[1].split()[0]
    assert f"Merge {first} is undone" in run("rollback", str(first), "--plan", plan)
    since = ("--since", "2026-01-01")
    assert "make a --dry-run first" in run("rollback", *since, status=2)
    many = json.loads(run("rollback", *since, "--dry-run", "--json"))
    assert "1 merge undone, 0 not" in run("rollback", *since, "--plan", many["plan"])
    assert len({home_of(stages, n) for n in (1, 2, 4)}) == 3
    assert "name a merge, or choose many" in run("rollback", status=2)
    assert "not both" in run("rollback", str(first), *since, status=2)


@pytest.mark.usefixtures("command_line")
def test_the_command_line_takes_records_out(stages: StagesOnPostgres) -> None:
    chain(stages)
    options = ("--record", str(record(stages, 2)), "--json")
    told = json.loads(run("split", str(home_of(stages, 1)), *options, "--dry-run"))
    done = json.loads(run("split", str(home_of(stages, 1)), *options, "--plan", told["plan"]))
    assert done["moves"][0]["target"] == str(home_of(stages, 2))
