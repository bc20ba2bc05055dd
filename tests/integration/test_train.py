"""`train` over a store and over a file: it writes beside the house, never into it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.answer import Answer
from pipeline.errors import BadInput, ConfigurationError
from pipeline.progress import silent
from pipeline.training.training import JudgedBy, from_store, train
from tests.integration.test_verify import small_house
from tests.integration.test_whatif import TABLES, merge_log
from tests.support.people import model, policy, ring
from tests.support.pipeline import StagesOnPostgres


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database)
    yield opened
    opened.close()


def test_rollbacks_and_answers_are_labels_and_nothing_is_written(stages: StagesOnPostgres) -> None:
    small_house(stages)
    stages.rollback(merge_log(stages))
    stages.answer(stages.review(), Answer.APPROVED)
    stands = {t: stages.rows(f"SELECT * FROM {t} ORDER BY 1, 2") for t in TABLES}
    material = from_store(stages.database, ring(), silent)
    found = train(material, model(), policy(), 1, "trained", silent)
    assert found.judged_by is JudgedBy.LABELS
    assert sum(label.weight for label in found.seen.labels.values()) == pytest.approx(2.0)
    assert {label.is_one for label in found.seen.labels.values()} == {True, False}
    assert not found.learnt.is_enough
    assert {t: stages.rows(f"SELECT * FROM {t} ORDER BY 1, 2") for t in TABLES} == stands


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("RB_HOME", str(tmp_path))
    file, mapping = tmp_path / "people.csv", tmp_path / "mapping.yaml"
    file.write_text(
        "id,mail,name,born,who\n"
        "a,ann.lee@mailbox.net,Ann Lee,1980-02-03,1\n"
        "b,ann.lee@mailbox.net,A Lee,1980-02-03,1\n"
        "c,bob@mailbox.net,Bob Ray,1991-04-05,2\n"
        "d,bob@mailbox.net,Bob Rey,1991-04-05,2\n"
    )
    mapping.write_text(
        "record_id: id\nsource: {constant: shop}\nidentifiers: {email: mail}\n"
        "traits: {full_name: name, date_of_birth: born}\n"
    )
    return ["train", "--from-file", str(file), "--mapping", str(mapping)]


def test_a_file_gives_a_model_that_whatif_takes(people: list[str], tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "models"), "--name", "shop", "--truth", "who"]
    done = CliRunner().invoke(app, [*people, *out, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["records"], found["judged_by"], found["enough"]) == (4, "truth", False)
    file = found["files"][0]
    assert file.endswith(f"{found['model']}.model.json")
    simulated = CliRunner().invoke(
        app, ["whatif", *people[1:], "--model", file, "--json"], catch_exceptions=False
    )
    assert json.loads(simulated.stdout)["other"]["model"] == found["model"]
    with pytest.raises(BadInput, match="is there already"):
        CliRunner().invoke(app, [*people, *out], catch_exceptions=False)


def test_it_says_that_nothing_is_activated_and_what_is_too_little(people: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*people, "--out", str(tmp_path / "models")], catch_exceptions=False)
    assert "Too little to learn from" in done.stdout
    assert "Nothing is activated" in done.stdout
    assert "RB_MODEL_FILE=" in done.stdout


def test_a_column_that_the_matcher_reads_is_no_truth(people: list[str], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--truth"):
        CliRunner().invoke(app, [*people, "--truth", "mail", "--out", str(tmp_path)], catch_exceptions=False)
    with pytest.raises(ConfigurationError, match="nowhere"):
        CliRunner().invoke(
            app, [*people, "--truth", "nowhere", "--out", str(tmp_path)], catch_exceptions=False
        )


@pytest.mark.parametrize(
    ("arguments", "field"),
    [(["--from-file", "y"], "--mapping"), (["--truth", "who"], "--truth"), (["--name", "Mine!"], "--name")],
)
def test_what_is_wrong_is_named(arguments: list[str], field: str) -> None:
    with pytest.raises(BadInput, match=field):
        CliRunner().invoke(app, ["train", *arguments], catch_exceptions=False)
