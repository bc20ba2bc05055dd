"""Profiles joined by hand, on a real Postgres and over HTTP: as rehearsed, for good, and undone exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.answer import Answer
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.joining import Joined, join_profiles
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import Destination
from pipeline.unmerge.taking_out import take_out
from pipeline.verify.verification import verify
from tests.integration.test_answers import RULES, constraints, doubt, home_of, proposal
from tests.integration.test_unmerge import all_of_it, record
from tests.support.people import model, ring
from tests.support.pipeline import StagesOnPostgres, event

NOW = datetime(2026, 2, 1, tzinfo=UTC)
WHY = {"reason": "she moved and married", "actor": "ann"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    assert [f.as_dict() for f in verify(opened.database, ring(), model(), opened.rules).faults] == []
    opened.close()


def strangers(stages: StagesOnPostgres) -> list[Id]:
    """Three customers that share nothing: 001 with 011, 002 and 003."""
    stages.send(
        event(1, {"email": "anna@mailbox.net"}, traits={"first_name": "Anna", "last_name": "Kowalski"})
    )
    stages.send(event(11, {"email": "anna@mailbox.net", "device_id": "d-1"}))
    stages.send(event(2, {"phone": "+14155550101"}, traits={"first_name": "Anne", "last_name": "Meyer"}))
    stages.send(event(3, {"loyalty_id": "L-3"}))
    found = [home_of(stages, n) for n in (1, 2, 3)]
    assert len(set(found)) == 3
    return found


def join(stages: StagesOnPostgres, *profiles: Id, rehearse: bool = False, plan: str | None = None) -> Joined:
    asked = Asked("ann", "she moved and married", NOW, rehearse, plan)
    return join_profiles(stages.stewardship(), profiles, asked)


def customers(stages: StagesOnPostgres) -> list[tuple[object, ...]]:
    """All that is told of each profile but its version and when it changed."""
    return stages.rows(
        "SELECT p.profile_id, p.is_merged, p.merged_into, p.golden::text, p.contested, p.held, p.created_at, "
        "ARRAY(SELECT record_id FROM identity_record r WHERE r.profile_id = p.profile_id ORDER BY 1), "
        "ARRAY(SELECT (type, value_hash)::text FROM profile_identifier i WHERE i.profile_id = p.profile_id "
        "ORDER BY type, value_hash) FROM customer_profile p ORDER BY 1"
    )


def test_a_rehearsal_tells_what_is_done_then(stages: StagesOnPostgres) -> None:
    one, two, three = strangers(stages)
    before = all_of_it(stages)
    told = join(stages, three, one, two, rehearse=True)
    assert all_of_it(stages) == before
    assert (told.profile_id, told.merge_log_ids, told.rehearsed) == (one, (), True)
    assert {(m.source, m.target, m.destination) for m in told.moves} == {
        (two, one, Destination.STANDING),
        (three, one, Destination.STANDING),
    }
    assert [(m.events, m.identifiers) for m in told.moves] == [(1, 1), (1, 1)]
    with pytest.raises(Conflict, match="no longer what plan"):
        join(stages, one, two, plan=told.plan)
    done = join(stages, two, three, one, plan=told.plan)
    assert (done.profile_id, done.moves, done.plan, done.rehearsed) == (one, told.moves, told.plan, False)
    assert stages.profiles() == {frozenset({"001", "011", "002", "003"})}
    logged = stages.rows("SELECT merge_log_id, kind, target_profile, actor, reason FROM identity_merge_log")
    assert {row[0] for row in logged} == set(done.merge_log_ids)
    assert {row[1:] for row in logged} == {("merged", one, "ann", "she moved and married")}
    assert [m["profile_id"] for m in stages.outbox("identity.merges")] == [str(one)] * 2
    states = {(s["profile_id"], s["status"]) for s in stages.outbox("profiles.updates")[-3:]}
    assert states == {(str(one), "active"), (str(two), "merged"), (str(three), "merged")}


def test_what_was_joined_outlasts_what_comes(stages: StagesOnPostgres) -> None:
    one, two, _ = strangers(stages)
    join(stages, one, two)
    stages.send(event(4, {"phone": "+14155550101", "cookie_id": "c-1"}))
    stages.send(event(5, {"email": "anna@mailbox.net", "cookie_id": "c-2"}))
    assert {home_of(stages, n) for n in (1, 11, 2, 4, 5)} == {one}


def test_joining_two_is_undone_exactly(stages: StagesOnPostgres) -> None:
    one, two, _ = strangers(stages)
    before = customers(stages)
    (merge,) = join(stages, one, two).merge_log_ids
    assert customers(stages) != before
    stages.rollback(merge)
    assert customers(stages) == before
    # and what comes later goes where it belongs
    stages.send(event(4, {"phone": "+14155550101", "cookie_id": "c-1"}))
    assert home_of(stages, 4) == two


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_joining_three_is_undone_one_by_one(stages: StagesOnPostgres, order: tuple[int, ...]) -> None:
    profiles = strangers(stages)
    before = customers(stages)
    logged = join(stages, *profiles).merge_log_ids
    for n in order:
        stages.rollback(logged[n])
    assert customers(stages) == before


def test_a_review_of_the_two_is_obsolete_then(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    done = join(stages, home_of(stages, 1), home_of(stages, 2))
    assert (done.asked, done.retired) == (0, 1)
    assert stages.rows("SELECT status FROM review_queue WHERE review_id = %s", review) == [("obsolete",)]


def test_what_somebody_parted_is_not_joined(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    stages.answer(review, Answer.REJECTED, "twins")
    one, two = home_of(stages, 1), home_of(stages, 2)
    for rehearse in (True, False):
        with pytest.raises(Conflict) as told:
            join(stages, one, two, rehearse=rehearse)
        assert "steward said on" in str(told.value)
        assert '("twins"), which outweighs it: revoke constraint ' in str(told.value)
    # a record that came since is not meant: there is a way out
    stages.send(event(3, {"loyalty_id": "L-2002", "cookie_id": "c-1"}))
    assert home_of(stages, 3) == two
    with pytest.raises(Conflict, match=rf"take those records \({record(stages, 2)}\) out of {two} first"):
        join(stages, one, two)
    assert [kind for kind, _, _ in constraints(stages)] == ["cannot_link"]
    take_out(stages.stewardship(), two, [record(stages, 2)], [], Asked("ann", "hers", NOW))
    join(stages, one, home_of(stages, 3))
    assert home_of(stages, 1) == home_of(stages, 3) != home_of(stages, 2)


def test_a_held_profile_waits_for_the_answer_to_its_split(stages: StagesOnPostgres) -> None:
    split = proposal(stages)
    stages.send(event(30, {"phone": "+14155550101"}))
    with pytest.raises(Conflict, match=f"{home_of(stages, 1)} waits .* answer review {split} first"):
        join(stages, home_of(stages, 1), home_of(stages, 30))
    stages.answer(split, Answer.REJECTED)
    assert join(stages, home_of(stages, 1), home_of(stages, 30)).merge_log_ids


def test_ids_that_are_no_customers_of_their_own_are_told(stages: StagesOnPostgres) -> None:
    one, two, three = strangers(stages)
    join(stages, one, two)
    with pytest.raises(Conflict, match=f"profile {two} was merged into {one}, name that one instead"):
        join(stages, two, three)
    with pytest.raises(Conflict, match=f"merged into {one}, which is named as well: they are one already"):
        join(stages, one, two, three)
    with pytest.raises(BadInput, match=f"profiles: {one} is named twice"):
        join(stages, one, three, one)
    with pytest.raises(BadInput, match="profiles: 1 are named; name 2 to 10"):
        join(stages, one)
    with pytest.raises(NotFound, match="no profile"):
        join(stages, one, new_id())
    with pytest.raises(BadInput, match="say why"):
        join_profiles(stages.stewardship(), [one, three], Asked("ann", " ", NOW))
    assert len(constraints(stages)) == 1


def test_of_a_person_who_was_forgotten_nothing_is_joined(stages: StagesOnPostgres) -> None:
    one, _, three = strangers(stages)
    with stages.database.transaction() as tx:
        tx.connection.execute("DELETE FROM data_key WHERE owner_id = %s", (record(stages, 3),))
    with pytest.raises(Conflict, match=f"nothing of profile {three} can be read any more"):
        join(stages, one, three)
    assert constraints(stages) == []


def test_a_record_that_cannot_be_read_any_more_stays_where_it_is(stages: StagesOnPostgres) -> None:
    one, two, _ = strangers(stages)
    gone = record(stages, 11)
    with stages.database.transaction() as tx:
        tx.connection.execute("DELETE FROM data_key WHERE owner_id = %s", (gone,))
    done = join(stages, one, two)
    assert (done.profile_id, [m.source for m in done.moves]) == (one, [two])
    assert {home_of(stages, n) for n in (1, 11, 2)} == {one}


async def test_over_http_it_is_rehearsed_and_done_as_planned(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    one, two, _ = map(str, strangers(stages))
    body = {**WHY, "profiles": [two, one]}
    told = (await client.post("/v1/profiles:merge", json={**body, "dry_run": True})).json()
    assert (told["profile_id"], told["merge_log_ids"], told["rehearsed"]) == (one, [], True)
    wrong = await client.post("/v1/profiles:merge", json={**body, "plan": "0" * 16})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "CONFLICT")
    done = await client.post("/v1/profiles:merge", json={**body, "plan": told["plan"]})
    assert done.status_code == 200, done.text
    (merge,) = done.json()["merge_log_ids"]
    # nothing but the steward holds them together, and what explains them copes
    between = f"{record(stages, 1)}/explain?with={record(stages, 2)}"
    for about in (f"{one}/explain", f"{one}/explain?with={two}", between, f"{two}/timeline", one):
        told = await client.get(f"/v1/profiles/{about}")
        assert told.status_code == 200, told.text
    (logged,) = (await client.get("/v1/merge-logs")).json()["data"]
    assert (logged["merge_log_id"], logged["confidence_score"]) == (merge, None)
    again = await client.post("/v1/profiles:merge", json=body)
    assert (again.status_code, "merged into" in again.json()["error"]["message"]) == (409, True)
    for profiles, status in (([one], 400), ([one, one], 400), ([one, str(uuid4())], 404), ([one, "7"], 400)):
        answer = await client.post("/v1/profiles:merge", json={**body, "profiles": profiles})
        assert answer.status_code == status, profiles
        assert answer.json()["error"]["message"]
    undone = await client.post(f"/v1/merge-logs/{merge}/rollback", json=WHY)
    assert undone.json()["merges"][0]["restored"] == two


@pytest.mark.usefixtures("command_line")
def test_the_command_line_rehearses_and_does(stages: StagesOnPostgres) -> None:
    one, two, three = map(str, strangers(stages))

    def run(*command: str) -> str:
        result = CliRunner().invoke(app, ["merge", *command, "--reason", "one person"])
        assert result.exit_code == 0, result.output
        return result.output

    told = run("join", one, two, "--dry-run")
    assert f"They would be one customer, {one}" in told
    done = run("join", one, two, "--plan", told.split("--plan ")[1].split()[0])
    assert f"They are one customer, {one}" in done
    merge = done.split("merge rollback ")[1].split()[0]
    assert "is undone" in run("rollback", merge)
    assert json.loads(run("join", two, three, "--json"))["profile_id"] == two
