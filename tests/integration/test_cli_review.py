"""`retail-brain review`: a steward lists, understands and answers without anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.errors import Conflict, NotFound, PreconditionFailed
from pipeline.ids import new_id
from pipeline.settings import settings
from tests.integration.test_answers import RULES, doubt, home_of, proposal
from tests.support.people import ring
from tests.support.pipeline import StagesOnPostgres


@pytest.fixture
def stages(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StagesOnPostgres]:
    monkeypatch.setenv("RB_HOME", str(tmp_path))
    monkeypatch.setenv("RB_POSTGRES_DSN", database)
    monkeypatch.setattr("pipeline.privacy.keyring.load_key_ring", lambda settings: ring())
    settings.cache_clear()
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()
    settings.cache_clear()


def run(*command: str) -> str:
    result = CliRunner().invoke(app, ["review", *command], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def data(*command: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(*command, "--json"))
    return found


def listed(*options: str) -> Sequence[dict[str, object]]:
    reviews = data("list", *options)["reviews"]
    assert isinstance(reviews, list)
    return reviews


def test_a_merge_is_listed_shown_and_approved(stages: StagesOnPostgres) -> None:
    review = str(doubt(stages))
    one, other = sorted((home_of(stages, 1), home_of(stages, 2)))
    text = run("list")
    assert f"{review}  merge, pending" in text
    assert f"Are {one} and {other} one customer?" in text
    shown = run("show", review)
    assert "`approve` merges the two" in shown
    assert "Both hold a different value of an identifier a person has once." in shown
    assert "loyalty id" in shown
    assert "anna@" not in shown
    assert data("show", review)["review"] == listed()[0]
    assert "Approved. The records in question are one customer" in run("approve", review, "--reason", "same")
    assert "Nothing had to move." in run("approve", review, "--reason", "same")
    assert run("list") == "No review is pending.\n"
    (answered,) = listed("--status", "approved")
    assert (answered["answered_by"], answered["answer_reason"]) == ("cli", "same")
    with pytest.raises(Conflict, match="was approved before"):
        run("reject", review, "--reason", "no")


def test_a_merge_is_rejected(stages: StagesOnPostgres) -> None:
    review = str(doubt(stages))
    answer = data("reject", review, "--reason", "twins", "--actor", "ann")
    assert answer["status"] == "rejected"
    assert answer["merge_log_ids"] == []
    assert set(map(str, (home_of(stages, 1), home_of(stages, 2)))) == set(map(str, answer["profiles"]))  # type: ignore[call-overload]
    assert listed("--status", "rejected")[0]["answered_by"] == "ann"


def test_a_split_is_listed_shown_and_approved(stages: StagesOnPostgres) -> None:
    review = str(proposal(stages))
    assert [r["review_id"] for r in listed("--kind", "split")] == [review]
    assert {r["kind"] for r in listed("--kind", "merge")} == {"merge"}
    large = home_of(stages, 1)
    shown = run("show", review)
    assert f"Is {large} 2 customers?" in shown
    assert "Part 2: " in shown
    assert f"A  1 record of profile {large}" in shown
    assert "`reject` keeps the profile whole" in shown
    done = run("approve", review, "--reason", "a till's e-mail")
    assert "customers of their own" in done
    assert home_of(stages, 1) != home_of(stages, 2)


def test_an_unknown_review_is_an_error(stages: StagesOnPostgres) -> None:
    for command in (["show"], ["approve", "--reason", "x"], ["reject", "--reason", "x"]):
        with pytest.raises(NotFound, match="no review"):
            run(*command, str(new_id()))


def test_a_review_is_given_to_somebody_and_put_aside(stages: StagesOnPostgres) -> None:
    review = str(doubt(stages))
    assert "Assigned to ann." in run("assign", review, "ann", "--actor", "ann")
    assert [r["review_id"] for r in listed("--assigned-to", "ann")] == [review]
    assert listed("--unassigned") == []
    with pytest.raises(Conflict, match="is assigned to ann"):
        run("assign", review, "ben")
    etag = run("show", review).split("ETag ")[1].split()[0]
    assert "Assigned" not in run("assign", review, "--nobody", "--etag", etag.strip('"'))
    with pytest.raises(PreconditionFailed):
        run("approve", review, "--reason", "x", "--etag", etag)
    until = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
    assert f"Put aside until {until}" in run("skip", review, "--until", until, "--reason", "ask her")
    assert run("list") == "No review is pending.\n"
    assert [r["skip_reason"] for r in listed("--skipped", "only")] == ["ask her"]
