"""Retention on a real Postgres: planned by the rules, enforced as planned, and what stands stays sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.retention import enforce as enforcing
from pipeline.retention.enforce import Report, enforce
from pipeline.retention.plan import Due, Plan, plan
from pipeline.retention.rules import Rules
from pipeline.settings import settings
from pipeline.steward import Stewardship
from pipeline.store.months import Months
from pipeline.unmerge.asked import Asked
from tests.integration.test_answers import RULES, home_of
from tests.integration.test_unmerge import MAIL, PHONE, record
from tests.support.pipeline import EventIn, StagesOnPostgres, event
from tests.support.reprocessing import Reprocessing, sound_stages

NOW = datetime.now(UTC) + timedelta(hours=1)
"""Of the plans: by the clock of who commits, since what comes after a plan is left alone."""
VIEWS = Rules.model_validate({"events": {"page_view": "90 days"}})
ALL = Rules.model_validate({"events": {"default": "90 days"}})


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    with sound_stages(database, RULES) as opened:  # whose end makes sure that `verify` finds nothing
        yield opened


def accepted(age: int) -> datetime:
    """In the middle of a month so many months ago; or just now."""
    if not age:
        return NOW - timedelta(hours=2)
    year, month = divmod(NOW.year * 12 + NOW.month - 1 - age, 12)
    return datetime(year, month + 1, 15, 10, tzinfo=UTC)


def month(age: int) -> str:
    return f"{accepted(age):%Y%m}"


OLD, LATER, LATELY = 10, 9, 0
"""Ages in months."""


def came(stages: StagesOnPostgres, age: int, *events: EventIn) -> None:
    """Events that were accepted so many months ago."""
    at = accepted(age)
    for one in events:
        happened = at - timedelta(minutes=60 - int(str(one["event_id"])[-2:]))
        identifiers = {k: [v] for k, v in one["identifiers"].items()}  # type: ignore[attr-defined]
        consent = [{"at": None, **c} for c in one.get("consent", ())]  # type: ignore[attr-defined]
        payload = orjson.dumps(one["payload"]).decode() if "payload" in one else None
        raw = {"source": "web", "event_type": one["event_type"], "event_id": one["event_id"]}
        raw |= {"identifiers": identifiers, "payload": payload, "consent": consent, "traits": {}}
        raw |= {"occurred_at": happened, "accepted_at": at, "request_id": None, "correlation_id": None}
        stages.deliver(stages.normalized_bytes(stages.codec.encode("events.raw", raw)))


def numbers(stages: StagesOnPostgres) -> list[int]:
    return [n for (n,) in stages.rows("SELECT right(event_id::text, 3)::int FROM event ORDER BY 1")]


def opens(stages: StagesOnPostgres) -> list[int]:
    """Events whose raw event can be opened."""
    query = """SELECT right(w.event_id::text, 3)::int FROM customer_raw_event w
        JOIN data_key k ON k.owner_id = w.raw_id ORDER BY 1"""
    return [n for (n,) in stages.rows(query)]


def partitions(stages: StagesOnPostgres) -> set[str]:
    query = """SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent IN ('event'::regclass, 'customer_raw_event'::regclass)"""
    return {name for (name,) in stages.rows(query)}


def planned(stages: StagesOnPostgres, rules: Rules) -> Plan:
    return plan(stages.database, rules, NOW)


def asked(plan_id: str | None) -> Asked:
    return Asked("officer", "the rules of the house", NOW, plan=plan_id)


def enforced(stages: StagesOnPostgres, found: Plan, batch: int = 2) -> Report:
    return enforce(officer(stages), asked(found.plan_id), batch=batch)


def officer(stages: StagesOnPostgres) -> Stewardship:
    """Whoever drops months owns them."""
    return replace(stages.stewardship(), database=stages.database)


def purchase(number: int, who: Mapping[str, object]) -> EventIn:
    payload = {"amount": 5, "items": [{"sku": "T-1", "quantity": 1}]}
    return event(number, who, event_type="purchase", payload=payload)


def test_events_go_by_their_type_but_for_the_last_of_a_record(stages: StagesOnPostgres) -> None:
    came(stages, OLD, *(event(n, MAIL) for n in range(1, 6)), purchase(6, MAIL), event(7, PHONE), event(8))
    came(stages, LATELY, event(9, MAIL))
    found = planned(stages, VIEWS)
    assert found.due == (Due(month(OLD), "page_view", 6, 1, 7),)
    assert (found.event_partitions, found.raw_partitions, found.customers) == ((), (), 0)
    assert numbers(stages) == [*range(1, 10)], "nothing goes by a plan"
    report = enforced(stages, found)
    assert report.done == {"events": 6, "data keys": 7}
    assert numbers(stages) == [6, 7, 9]
    assert opens(stages) == [6, 9]
    assert planned(stages, VIEWS).months == []
    ((entry,),) = stages.rows("SELECT details FROM audit_entry WHERE action = 'retention.enforced'")
    assert entry == {"done": {"events": 6, "data keys": 7}, "months": [month(OLD)]}


def test_an_event_that_went_does_not_come_again(stages: StagesOnPostgres) -> None:
    came(stages, OLD, event(1, MAIL), event(2, MAIL))
    enforced(stages, planned(stages, VIEWS))
    came(stages, LATELY, event(1, MAIL))
    assert numbers(stages) == [2]
    assert opens(stages) == []


def test_months_of_which_nothing_stays_are_dropped_whole_and_made_again(stages: StagesOnPostgres) -> None:
    came(stages, OLD, event(1, MAIL), event(2, PHONE), event(3))
    came(stages, LATER, event(4, MAIL), purchase(5, PHONE))
    came(stages, LATELY, event(6, MAIL), event(7, PHONE))
    found = planned(stages, ALL)
    assert found.event_partitions == found.raw_partitions == (month(OLD), month(LATER))
    report = enforced(stages, found)
    assert report.done == {"events": 5, "data keys": 5, "partitions": 4}
    assert partitions(stages) == {f"event_{month(LATELY)}", f"customer_raw_event_{month(LATELY)}"}
    assert stages.rows("SELECT DISTINCT profile_id FROM embedding_due") == [(home_of(stages, 7),)]
    came(stages, OLD, event(8, MAIL))  # both stages knew the month before
    assert numbers(stages) == [6, 7, 8]


def test_bodies_go_by_their_own_rule_and_events_stay(stages: StagesOnPostgres) -> None:
    came(stages, OLD, purchase(1, MAIL), event(2, PHONE))
    came(stages, LATELY, event(3, MAIL))
    found = planned(stages, Rules.model_validate({"payload": "6 months"}))
    assert (found.due, found.bodies) == ((), {month(OLD): 2})
    assert (found.event_partitions, found.raw_partitions) == ((), (month(OLD),))
    assert enforced(stages, found).done == {"events": 0, "data keys": 2, "partitions": 1}
    assert numbers(stages) == [1, 2, 3]
    assert opens(stages) == [3]


def test_what_a_customer_granted_or_withdrew_stays_with_its_event(stages: StagesOnPostgres) -> None:
    said = event(1, MAIL, consent=[{"purpose": "marketing", "state": "withdrawn"}])
    came(stages, OLD, said, event(2, MAIL))
    came(stages, LATELY, event(3, MAIL))
    enforced(stages, planned(stages, VIEWS))
    assert numbers(stages) == [1, 3]
    assert opens(stages) == [3]


def test_customers_of_whom_nothing_was_seen_are_forgotten(stages: StagesOnPostgres) -> None:
    came(stages, OLD, event(1, MAIL), event(2, PHONE))
    came(stages, LATELY, event(3, PHONE))
    gone, stays = home_of(stages, 1), home_of(stages, 2)
    found = planned(stages, Rules.model_validate({"customers": "6 months"}))
    assert found.customers == 1
    assert enforced(stages, found).done == {"customers": 1}
    assert stages.rows("SELECT profile_id FROM customer_profile") == [(stays,)]
    assert stages.rows("SELECT profile_id FROM erased_profile") == [(gone,)]


def test_where_it_ends_before_its_end_the_same_call_goes_on(
    stages: StagesOnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    came(stages, OLD, *(event(n, MAIL) for n in range(1, 7)))
    came(stages, LATER, event(7, MAIL), event(8, MAIL))
    came(stages, LATELY, event(9, MAIL))
    found = planned(stages, ALL)
    calls = iter(range(2))
    marked = enforcing._Enforcing._marked

    def dying(self: enforcing._Enforcing, month: str) -> int:
        if next(calls, None) is None:
            raise RuntimeError("killed")
        return marked(self, month)

    with monkeypatch.context() as patched:
        patched.setattr(enforcing._Enforcing, "_marked", dying)
        with pytest.raises(RuntimeError):
            enforced(stages, found)
    assert numbers(stages) == [*range(1, 10)], "marked, and not gone yet"
    came(stages, LATELY, event(10, PHONE))
    assert enforced(stages, found).done == {"events": 8, "data keys": 8, "partitions": 4}
    assert numbers(stages) == [9, 10]
    with pytest.raises(Conflict, match="was enforced"):
        enforced(stages, found)


def test_what_came_since_the_plan_is_left_alone(stages: StagesOnPostgres) -> None:
    came(stages, OLD, event(1, MAIL), event(2, MAIL))
    found = plan(stages.database, VIEWS, datetime.now(UTC))
    came(stages, OLD, event(3, MAIL), event(4, MAIL))
    enforced(stages, found)
    assert numbers(stages) == [3, 4]


def test_a_plan_is_named_by_what_it_says(stages: StagesOnPostgres) -> None:
    came(stages, OLD, event(1, MAIL), event(2, MAIL))
    first = planned(stages, VIEWS)
    assert planned(stages, VIEWS).plan_id == first.plan_id
    assert planned(stages, ALL).plan_id != first.plan_id
    came(stages, OLD, event(3, MAIL))
    assert planned(stages, VIEWS).plan_id != first.plan_id
    with pytest.raises(NotFound, match="retention plan"):
        enforce(officer(stages), asked("0" * 16))
    with pytest.raises(BadInput, match="plan"):
        enforce(officer(stages), asked(None))


def test_a_replay_keeps_every_customer(stages: StagesOnPostgres, database: str) -> None:
    came(stages, OLD, event(1, MAIL), event(2, MAIL), event(3, PHONE), event(4, {**MAIL, **PHONE}))
    came(stages, LATELY, event(5, MAIL))
    before = {n: record(stages, n) for n in (3, 4, 5)}
    enforced(stages, planned(stages, ALL))
    with closing(Reprocessing(stages, database)) as replay:
        found = replay.compare()
        assert (found.counts.customers, found.counts.untouched) == (1, 1)
        assert dict(found.kept) == {"raw_event_missing": 2}
        replay.activate()
    assert {n: record(stages, n) for n in (3, 4, 5)} == before


def test_a_month_that_ended_long_ago_is_made_sure_of_each_time(stages: StagesOnPostgres) -> None:
    months = Months("event")
    old = datetime(2020, 1, 5, tzinfo=UTC)
    months.ensure(stages.database, [old])
    with stages.database.transaction() as tx:
        tx.connection.execute("DROP TABLE event_202001")
    months.ensure(stages.database, [old])
    assert "event_202001" in partitions(stages)


@pytest.fixture
def fresh_settings() -> Iterator[None]:
    """The environment is read once a process: here anew, and by what comes afterwards as well."""
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("fresh_settings")
def test_from_the_command_line(
    stages: StagesOnPostgres, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came(stages, OLD, event(1, MAIL), event(2, MAIL))
    rules = tmp_path / "retention.yaml"
    rules.write_text("events: {page_view: 90 days}\n")
    for name, value in {
        "POSTGRES_DSN": database,
        "HOME": str(tmp_path),
        "RETENTION_FILE": str(rules),
    }.items():
        monkeypatch.setenv(f"RB_{name}", value)
    runner = CliRunner()
    told = runner.invoke(app, ["retention", "plan"])
    assert told.exit_code == 0, told.output
    assert f"{month(OLD)}  page_view: 1 events go, 1 stay without body, 2 bodies" in told.stdout
    found = orjson.loads(runner.invoke(app, ["retention", "plan", "--json"]).stdout)
    assert found["plan_id"] in told.stdout
    done = runner.invoke(app, ["retention", "enforce", "--plan", found["plan_id"], "--reason", "due"])
    assert done.exit_code == 0, done.output
    assert "1 events gone" in done.stdout
    (report,) = [orjson.loads(line) for line in runner.invoke(app, ["retention", "log"]).stdout.splitlines()]
    assert (report["done"], report["reason"]) == ({"events": 1, "data keys": 2, "partitions": 1}, "due")
    assert runner.invoke(app, ["retention", "plan"]).stdout == "Nothing is due.\n"
