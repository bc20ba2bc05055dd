"""What stewards said over HTTP and from the command line: listed, looked at, taken back, and told of a customer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.answer import Answer
from pipeline.api_keys.scope import Scope
from pipeline.errors import Conflict, NotFound, PreconditionFailed
from tests.integration.test_answers import RULES, doubt, home_of
from tests.integration.test_gateway_customer import told, walked
from tests.integration.test_reviews_in_bulk import doubts
from tests.integration.test_unmerge import chain, record
from tests.support.gateway import gateway_over
from tests.support.pipeline import StagesOnPostgres

Json = dict[str, object]
WHY = {"reason": "sisters", "actor": "ann"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


async def listed(client: httpx.AsyncClient, **wanted: object) -> list[Json]:
    """All of a list, two a page."""
    found: list[Json] = []
    cursor: dict[str, object] = {}
    while True:
        query = {"limit": 2, **wanted, **cursor}
        answer = await client.get("/v1/constraints", params=query)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["data"]) <= 2
        found += page["data"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


async def post(
    client: httpx.AsyncClient, path: str, body: Json, etag: str | None = None, status: int = 200
) -> Json:
    answer = await client.post(path, json=body, headers={"If-Match": etag} if etag else {})
    assert answer.status_code == status, answer.text
    return cast(Json, answer.json())


async def test_what_was_said_is_listed_by_whom_it_is_about_who_said_it_and_whether_it_stands(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    doubts(stages)
    reviews = [r["review_id"] for r in (await client.get("/v1/reviews")).json()["data"]]
    for review, act, actor in zip(
        reviews, ("approve", "reject", "reject"), ("ann", "ann", "ben"), strict=False
    ):
        await post(client, f"/v1/reviews/{review}/{act}", {"reason": "I know them", "actor": actor})
    (merge,) = (await client.get("/v1/merge-logs")).json()["data"]
    await post(client, f"/v1/merge-logs/{merge['merge_log_id']}/rollback", {"reason": "no", "actor": "ben"})
    everything = await listed(client)
    assert [(c["kind"], c["actor"], c["review_id"], c["review_kind"]) for c in everything] == [
        ("cannot_link", "ben", None, None),
        ("cannot_link", "ben", reviews[2], "merge"),
        ("cannot_link", "ann", reviews[1], "merge"),
        ("must_link", "ann", reviews[0], "merge"),
    ]
    undone, ben, ann, must = everything
    assert set(cast(list[str], undone["left_profiles"] + undone["right_profiles"])) == {  # type: ignore[operator]
        merge["source_profile"],
        merge["target_profile"],
    }
    assert await listed(client, kind="must_link") == [must]
    assert await listed(client, actor="ann") == [ann, must]
    assert await listed(client, review_id=reviews[2]) == [ben]
    assert await listed(client, profile_id=merge["source_profile"]) == [undone, must]
    assert await listed(client, profile_id=uuid4()) == []
    await post(client, f"/v1/constraints/{ben['constraint_id']}/revoke", WHY)
    assert await listed(client, revoked=False) == [undone, ann, must]
    (gone,) = await listed(client, revoked=True, actor="ben", kind="cannot_link")
    assert (gone["constraint_id"], gone["revoked_by"], gone["revoke_reason"]) == (
        ben["constraint_id"],
        "ann",
        "sisters",
    )
    assert gone["etag"] != ben["etag"]
    (reviewed,) = (await client.get("/v1/reviews", params={"status": "revoked"})).json()["data"]
    assert (reviewed["review_id"], reviewed["answered_by"], reviewed["revoked_by"]) == (
        reviews[2],
        "ben",
        "ann",
    )
    # whom a profile was merged into is asked about under either id
    await post(client, f"/v1/constraints/{undone['constraint_id']}/revoke", WHY)
    for profile in (merge["source_profile"], merge["target_profile"]):
        assert [c["constraint_id"] for c in await listed(client, profile_id=profile)] == [
            undone["constraint_id"],
            must["constraint_id"],
        ]


async def test_one_is_looked_at_rehearsed_and_taken_back_as_planned(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    review = str(doubt(stages))
    older, younger = str(home_of(stages, 1)), str(home_of(stages, 2))
    await post(client, f"/v1/reviews/{review}/approve", {"reason": "two cards"})
    of_review = (await client.get(f"/v1/reviews/{review}")).json()
    path = f"/v1/constraints/{of_review['constraint_id']}"
    answer = await client.get(path)
    one = answer.json()
    assert answer.headers["ETag"] == one["etag"]
    assert await listed(client) == [one]
    assert (one["left_profiles"], one["right_profiles"], one["revoked_at"]) == ([older], [older], None)
    told_first = await post(client, f"{path}/revoke", {**WHY, "dry_run": True})
    assert (told_first["rehearsed"], told_first["merge_log_ids"], told_first["asked"]) == (True, [], 1)
    error = (await post(client, f"{path}/revoke", {**WHY, "plan": "0" * 16}, status=409))["error"]
    assert cast(Json, error)["code"] == "CONFLICT"
    error = (await post(client, f"{path}/revoke", WHY, '"another"', status=412))["error"]
    assert cast(Json, error)["code"] == "PRECONDITION_FAILED"
    assert (await client.get(path)).json() == one
    done = await post(client, f"{path}/revoke", {**WHY, "plan": told_first["plan"]}, one["etag"])
    (move,) = cast(list[Json], done["moves"])
    assert (move["source"], move["target"], move["destination"]) == (older, younger, "restored")
    assert done["review_id"] == review
    assert done["constraint_ids"] == [one["constraint_id"]]
    (logged,) = (await client.get("/v1/merge-logs", params={"kind": "split"})).json()["data"]
    assert [logged["merge_log_id"]] == done["merge_log_ids"]
    action = (await client.get("/v1/steward-actions")).json()["data"][0]
    assert (action["act"], action["actor"], action["reason"], action["review_id"]) == (
        "revoke",
        "ann",
        "sisters",
        review,
    )
    assert action["details"] == {"constraint_ids": [one["constraint_id"]]}
    assert action["merge_log_ids"] == done["merge_log_ids"]
    assert set(action["profiles"]) == {older, younger}
    (waiting,) = (await client.get("/v1/reviews")).json()["data"]
    assert {waiting["low_profile"], waiting["high_profile"]} == {older, younger}
    assert "was revoked before, by ann" in str(await post(client, f"{path}/revoke", WHY, status=409))
    assert "was taken back, by ann" in str(
        await post(client, f"/v1/reviews/{review}/approve", WHY, status=409)
    )


async def test_what_cannot_be_asked_is_an_error_of_the_caller(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    stages.answer(doubt(stages), Answer.REJECTED)
    (one,) = await listed(client)
    path = f"/v1/constraints/{one['constraint_id']}/revoke"
    for where, body, status, named in (
        (path, {}, 400, "reason"),
        (path, {"reason": " "}, 400, "reason"),
        (path, {**WHY, "plan": "x"}, 400, "plan"),
        (path, {**WHY, "bulk": True}, 400, "bulk"),
        (f"/v1/constraints/{uuid4()}/revoke", WHY, 404, "no constraint"),
        ("/v1/constraints/7/revoke", WHY, 400, "constraint_id"),
    ):
        assert named in str((await post(client, where, body, status=status))["error"])  # type: ignore[arg-type]
    assert "If-Match" in str(await post(client, path, cast(Json, WHY), "no tag", status=400))
    for query, status in {
        f"/{uuid4()}": 404,
        "/7": 400,
        "?kind=x": 400,
        "?revoked=perhaps": 400,
        "?profile_id=7": 400,
        "?cursor=x": 400,
        "?actor=a%00": 400,
        "?limit=0": 400,
    }.items():
        assert (await client.get(f"/v1/constraints{query}")).status_code == status, query
    # a cursor belongs to the list it came from
    doubts(stages)
    for review in (await client.get("/v1/reviews")).json()["data"][:2]:
        await post(client, f"/v1/reviews/{review['review_id']}/reject", cast(Json, WHY))
    cursor = (await client.get("/v1/constraints", params={"limit": 1})).json()["next"]
    assert (await client.get("/v1/constraints", params={"cursor": cursor})).status_code == 200
    other = await client.get("/v1/constraints", params={"cursor": cursor, "kind": "must_link"})
    assert (other.status_code, other.json()["error"]["message"].split(":")[0]) == (400, "cursor")


async def test_pages_stay_where_they_are_while_more_is_said(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    doubts(stages)
    reviews = [r["review_id"] for r in (await client.get("/v1/reviews")).json()["data"]]
    for review in reviews[:3]:
        await post(client, f"/v1/reviews/{review}/reject", cast(Json, WHY))
    before = await listed(client)
    first = (await client.get("/v1/constraints", params={"limit": 1})).json()
    await post(client, f"/v1/reviews/{reviews[3]}/reject", cast(Json, WHY))
    second = (await client.get("/v1/constraints", params={"limit": 2, "cursor": first["next"]})).json()
    assert [*first["data"], *second["data"]] == before
    assert second["next"] is None


async def test_a_customers_timeline_tells_who_took_what_back_and_whose_a_review_was(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: StagesOnPostgres
) -> None:
    review = str(doubt(stages))
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    keys = f"r:{Scope.READ},s:{Scope.READ}+{Scope.STEWARD}"
    async with gateway_over(database, tmp_path, monkeypatch, api_keys=keys) as client:
        client.headers["Authorization"] = "Bearer s"
        of = f"/v1/reviews/{review}"
        await post(client, f"{of}/assign", {"assigned_to": "ben", "actor": "ann"})
        await post(client, f"{of}/skip", {"reason": "ask her", "actor": "ben", "until": until})
        await post(client, f"{of}/reject", {"reason": "twins", "actor": "ben"})
        (one,) = await listed(client)
        await post(client, f"/v1/constraints/{one['constraint_id']}/revoke", cast(Json, WHY))
        seen = [await walked(client, f"{home_of(stages, n)}/timeline", limit=1) for n in (1, 2)]
        by_kind = await walked(client, f"{home_of(stages, 1)}/timeline", only="actions")
        client.headers["Authorization"] = "Bearer r"
        read = await told(client, f"{home_of(stages, 1)}/timeline", limit=100)
    for found in seen:
        acts = [entry for entry in found if entry["kind"] != "event"]
        assert [(e["kind"], e["actor"], e["reason"], e["review_id"], e["review_kind"]) for e in acts] == [
            ("review_revoked", "ann", "sisters", review, "merge"),
            ("review_rejected", "ben", "twins", review, "merge"),
            ("review_skipped", "ben", "ask her", review, "merge"),
            ("review_assigned", "ann", None, review, "merge"),
        ]
        revoked, rejected, skipped, assigned = acts
        (constraint,) = cast(Sequence[Json], revoked["constraints"])
        assert rejected["constraints"] == [constraint]
        assert (constraint["constraint_id"], constraint["revoked_at"]) == (
            one["constraint_id"],
            revoked["at"],
        )
        assert (assigned["assigned_to"], assigned["skipped_until"]) == ("ben", None)
        assert datetime.fromisoformat(str(skipped["skipped_until"])) == datetime.fromisoformat(until)
    assert by_kind == [entry for entry in seen[0] if entry["kind"] != "event"]
    shown = [entry for entry in cast(list[Json], read["data"]) if entry["kind"] != "event"]
    assert [entry["kind"] for entry in shown] == [entry["kind"] for entry in by_kind]
    for entry in shown:
        assert not {entry["actor"], entry["reason"], entry.get("assigned_to")} - {None}
        assert not entry.get("constraints")


async def test_a_word_that_answers_no_review_is_told_as_taken_back(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    stages.rollback(chain(stages)[0])
    (one,) = await listed(client)
    await post(client, f"/v1/constraints/{one['constraint_id']}/revoke", cast(Json, WHY))
    acts = await walked(client, f"{home_of(stages, 1)}/timeline", only="actions")
    assert [(e["kind"], e["actor"], e["review_id"]) for e in acts] == [
        ("constraint_revoked", "ann", None),
        ("cannot_link", "steward", None),
    ]


def run(*command: str) -> str:
    result = CliRunner().invoke(app, [*command], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("command_line")
def test_the_command_line_lists_shows_rehearses_and_revokes(stages: StagesOnPostgres) -> None:
    assert run("constraints", "list") == "Nothing of the kind was said.\n"
    review = str(doubt(stages))
    one, other = home_of(stages, 1), home_of(stages, 2)
    run("review", "approve", review, "--reason", "two cards", "--actor", "ann")
    said = run("review", "show", review).split("constraints revoke ")[1].split("`")[0]
    text = run("constraints", "list", "--profile", str(other), "--standing")
    assert f"{said}  must_link, stands" in text
    in_a_line = " ".join(text.split())
    assert f"1 record (now of {one}) and 1 record (now of {one}) are one customer." in in_a_line
    assert "Said by ann on " in text
    assert f"It answers review {review}, of a merge." in text
    assert run("constraints", "list", "--revoked") == "Nothing of the kind was said.\n"
    shown = run("constraints", "show", said)
    assert f"Left: {record(stages, 1)}" in shown or f"Right: {record(stages, 1)}" in shown
    etag = shown.split("ETag ")[1].split()[0].strip('"')
    why = ("--reason", "sisters", "--actor", "ben")
    rehearsed = run("constraints", "revoke", said, *why, "--dry-run")
    assert f"The answer to review {review} would be taken back." in rehearsed
    assert f"from {one} to {other}, which comes back under its old id." in rehearsed
    assert "Reviews: 1 new, 0 obsolete." in rehearsed
    plan = rehearsed.split("--plan ")[1].split()[0]
    with pytest.raises(PreconditionFailed):
        run("constraints", "revoke", said, *why, "--etag", "another")
    done = run("constraints", "revoke", said, *why, "--plan", plan, "--etag", etag)
    assert f"The answer to review {review} is taken back." in done
    assert "In the merge log: " in done
    assert home_of(stages, 2) == other
    assert 'Taken back by ben: "sisters".' in run("constraints", "show", said)
    assert 'Taken back by ben: "sisters".' in run("review", "show", review)
    with pytest.raises(Conflict, match="was revoked before, by ben"):
        run("constraints", "revoke", said, *why)
    with pytest.raises(NotFound, match="no constraint"):
        run("constraints", "show", str(uuid4()))
    found = json.loads(run("constraints", "list", "--json"))
    assert [c["constraint_id"] for c in found["constraints"]] == [said]
    assert json.loads(run("constraints", "show", said, "--json")) == found["constraints"][0]
    assert found["more"] is False


@pytest.mark.usefixtures("command_line")
def test_the_command_line_tells_where_nothing_moves_and_where_there_is_more(stages: StagesOnPostgres) -> None:
    doubts(stages)
    for review in json.loads(run("review", "list", "--json"))["reviews"][:2]:
        run("review", "reject", review["review_id"], "--reason", "twins")
    assert "There are more: raise --limit to see them." in run("constraints", "list", "--limit", "1")
    found = json.loads(run("constraints", "list", "--limit", "1", "--json"))
    assert found["more"] is True
    (first, second) = (
        c["constraint_id"] for c in json.loads(run("constraints", "list", "--json"))["constraints"]
    )
    done = run("constraints", "revoke", first, "--reason", "one person")
    assert "is taken back.\n  No record moves.\n  Reviews: 1 new, 0 obsolete.\n" in done
    data = json.loads(run("constraints", "revoke", second, "--reason", "one person", "--json"))
    assert (data["moves"], data["rehearsed"], data["constraint_ids"]) == ([], False, [second])
