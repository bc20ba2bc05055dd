"""`whatif` over a store and over a file: against what stands, without a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.answer import Answer
from pipeline.errors import BadInput
from pipeline.identity.difference import ChangeKind
from pipeline.identity.explain.weighing import Configuration
from pipeline.identity.ids import Id
from pipeline.privacy.mask import masked
from pipeline.progress import silent
from pipeline.whatif.outcome import Outcome, what_if
from pipeline.whatif.source import from_store
from tests.integration.test_verify import small_house
from tests.support.people import model, policy, ring
from tests.support.pipeline import StagesOnPostgres, event

ACTIVE = Configuration(model(), policy())
TABLES = (
    "customer_profile", "identity_record", "identity_evidence", "identity_constraint", "identity_merge_log",
    "review_queue", "worn_key", "outbox", "stored_configuration",
)  # fmt: skip


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database)
    yield opened
    opened.close()


def run(stages: StagesOnPostgres, other: Configuration) -> Outcome:
    return what_if(from_store(stages.database, ring(), silent), ACTIVE, other, masked, 5)


def merge_log(stages: StagesOnPostgres) -> Id:
    found: Id = stages.rows("SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged'")[0][0]
    return found


def test_what_stands_is_what_the_active_configuration_says(stages: StagesOnPostgres) -> None:
    small_house(stages)
    found = run(stages, ACTIVE).simulation
    assert (found.changes, found.drift) == ((), 0)
    assert sum(found.queue.before.values()) == found.queue.stay == 1


def test_changes_name_the_profiles_they_touch_and_nothing_is_written(stages: StagesOnPostgres) -> None:
    small_house(stages)
    stands = {t: stages.rows(f"SELECT * FROM {t} ORDER BY 1, 2") for t in TABLES}
    never = Configuration(model(), replace(policy(), version="never", auto_merge=1 - 2**-50))
    outcome = run(stages, never)
    (split,) = outcome.simulation.of_kind(ChangeKind.SPLIT)
    assert len(split.before[0]) == 3
    ((profile,),) = stages.rows(
        "SELECT profile_id FROM identity_record GROUP BY profile_id HAVING count(*) > 1"
    )
    assert outcome.source.names.customer(split.before[0]) == str(profile)
    assert {t: stages.rows(f"SELECT * FROM {t} ORDER BY 1, 2") for t in TABLES} == stands


def test_rollbacks_and_answers_are_what_stewards_decided(stages: StagesOnPostgres) -> None:
    small_house(stages)
    stages.rollback(merge_log(stages))
    stages.answer(stages.review(), Answer.APPROVED)
    found = run(stages, ACTIVE).simulation
    before, after = found.agreement
    assert before == after
    assert before.decisions == 2
    assert before.agreeing == 0, "by itself it would have merged the one and not the other"
    assert found.drift == 0


def test_who_was_forgotten_is_left_out(stages: StagesOnPostgres) -> None:
    small_house(stages)
    stages.send(event(9, {"email": "gone@mailbox.net"}))
    with stages.database.transaction() as tx:
        tx.connection.execute(
            "DELETE FROM data_key USING event WHERE owner_id = record_id "
            "AND event_id = '00000000-0000-4000-8000-000000000009'"
        )
    outcome = run(stages, ACTIVE)
    assert outcome.source.left_out == 1
    assert outcome.simulation.changes == ()


def test_a_file_is_compared_with_what_the_active_configuration_makes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RB_HOME", str(tmp_path))
    people, mapping, report = (tmp_path / name for name in ("people.csv", "mapping.yaml", "report.html"))
    people.write_text(
        "id,mail,phone,name,born\n"
        "a,ann.lee@mailbox.net,,Ann Lee,1980-02-03\n"
        "b,,+14155550123,Ann Lee,1980-02-03\n"
        "c,bob@mailbox.net,,Bob Ray,\n"
        "d,,,,\n"
    )
    mapping.write_text(
        "record_id: id\nsource: {constant: shop}\nidentifiers: {email: mail, phone: phone}\n"
        "traits: {full_name: name, date_of_birth: born}\n"
    )
    strict = tmp_path / "strict.yaml"
    shipped = Path("pipeline/identity/data/policy.yaml").read_text()
    strict.write_text(shipped.replace("auto_merge: 0.80", "auto_merge: 0.99999999"))
    arguments = ["whatif", "--from-file", str(people), "--mapping", str(mapping), "--policy", str(strict)]
    done = CliRunner().invoke(app, [*arguments, "--report", str(report), "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["customers"], found["left_out"]) == ({"before": 2, "after": 3}, 1)
    (example,) = found["examples"]["split"]
    assert {record["name"] for c in example["before"] for record in c["records"]} == {"a", "b"}
    assert "would be split" in report.read_text()
    text = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "1 customer would be split into 2" in text.stdout


@pytest.mark.parametrize(
    ("arguments", "field"),
    [([], "--policy"), (["--policy", "x", "--from-file", "y"], "--mapping")],
)
def test_what_is_missing_is_named(arguments: list[str], field: str) -> None:
    with pytest.raises(BadInput, match=field):
        CliRunner().invoke(app, ["whatif", *arguments], catch_exceptions=False)
