"""All that is known of one person, on a real Postgres: in the library, over HTTP and from the command line."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from cli.main import app
from gateway.server import MOST_EXPORTS, Exports
from pipeline.errors import NotFound, ReadersBusy
from pipeline.ids import new_id
from pipeline.portability.document import FORMAT, Exporting, person_export
from pipeline.settings import Settings
from schemas.topics import topics
from tests.integration.test_answers import RULES, home_of
from tests.integration.test_unmerge import chain, merges
from tests.support.audit import AuditLog
from tests.support.people import ring
from tests.support.pipeline import StagesOnPostgres, event

NOW = datetime(2026, 2, 1, tzinfo=UTC)
ORDER = {"amount": 12.5, "currency": "EUR", "items": [{"sku": "T-1", "quantity": 1, "price": 12.5}]}
Fields = dict[str, object]


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


def exporting(stages: StagesOnPostgres) -> Exporting:
    return Exporting(stages.database, ring(), stages.codec, stages.rules, "officer", NOW)


def exported(stages: StagesOnPostgres, number: int) -> Fields:
    return cast(Fields, orjson.loads(b"".join(person_export(exporting(stages), home_of(stages, number)))))


def rows(document: Fields, name: str) -> list[Fields]:
    return cast(list[Fields], document[name])


def anna(stages: StagesOnPostgres) -> None:
    """A customer by two records, with a merge, an order and a note that no field of ours holds; and another one."""
    chain(stages)
    traits = {"first_name": "Anna", "last_name": "Kowalski"}
    payload = {**ORDER, "note": "leave it at the door"}
    stages.send(event(6, {"email": "Anna@Mailbox.net"}, traits=traits, payload=payload))
    stages.send(event(7, {"email": "ben@mailbox.net"}, traits={"first_name": "Ben"}))


def test_it_holds_all_that_was_said_and_made_of_it(stages: StagesOnPostgres) -> None:
    anna(stages)
    told = exported(stages, 1)
    assert (told["format"], told["exported_by"], told["profile_id"]) == (
        FORMAT,
        "officer",
        str(home_of(stages, 1)),
    )
    assert len(cast(list[str], told["merged_ids"])) == 2
    events = rows(told, "events")
    assert [str(e["event_id"])[-3:] for e in events] == ["001", "002", "003", "004", "005", "006"]
    sent = cast(Fields, events[5]["as_sent"])
    assert cast(Fields, sent["payload"])["note"] == "leave it at the door"
    assert sent["identifiers"] == {"email": "Anna@Mailbox.net"}
    assert cast(Fields, events[5]["order"])["amount"] == 12.5
    assert events[5]["came_from"] == {"topic": "events.raw", "partition": 0, "offset": 5}
    held = rows(told, "identity_records")
    assert {"email": ["anna@mailbox.net"], "phone": ["+14155550101"]} in [r["identifiers"] for r in held]
    golden = cast(dict[str, Fields], told["golden_record"])
    assert golden["first_name"]["value"] == "anna"
    assert golden["first_name"]["record_id"] in [r["record_id"] for r in held]
    assert golden["email"]["value"] == ["anna@mailbox.net"]
    assert [d["merge_log_id"] for d in rows(told, "decisions")] == [str(m) for m in merges(stages)]
    assert b"ben@" not in orjson.dumps(told)


def test_it_says_to_whom_it_went(stages: StagesOnPostgres) -> None:
    anna(stages)
    recipients = cast(dict[str, list[Fields]], exported(stages, 1)["recipients"])
    assert {t["topic"] for t in recipients["topics"]} == set(topics())
    assert recipients["webhooks"] == []


def test_what_does_not_open_is_told_and_stops_nothing(stages: StagesOnPostgres) -> None:
    anna(stages)
    (record,) = stages.rows("SELECT record_id FROM event WHERE right(event_id::text, 3) = '006'")[0]
    (raw,) = stages.rows("SELECT raw_id FROM event WHERE right(event_id::text, 3) = '001'")[0]
    stages.rows("DELETE FROM data_key WHERE owner_id = ANY(%s) RETURNING 1", [record, raw])
    told = exported(stages, 1)
    assert rows(told, "events")[0]["as_sent"] == {
        "unreadable": "its retention ended, or its data key was destroyed"
    }
    closed = [r for r in rows(told, "identity_records") if "unreadable" in r]
    assert [r["record_id"] for r in closed] == [str(record)]
    assert "first_name" not in cast(Fields, told["golden_record"])


def test_who_is_unknown_is_not_found(stages: StagesOnPostgres) -> None:
    with pytest.raises(NotFound):
        next(person_export(exporting(stages), new_id()))


async def test_it_comes_over_http_as_one_document(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    anna(stages)
    (merged,) = stages.rows("SELECT profile_id FROM customer_profile WHERE is_merged ORDER BY 1 LIMIT 1")[0]
    answer = await client.get(f"/v1/profiles/{merged}/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told["profile_id"] == str(home_of(stages, 1))
    assert len(told["events"]) == 6
    unknown = await client.get(f"/v1/profiles/{new_id()}/export")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.usefixtures("command_line")
def test_it_is_written_for_its_owner_alone(stages: StagesOnPostgres, tmp_path: Path) -> None:
    anna(stages)
    out = tmp_path / "person.json"
    result = CliRunner().invoke(app, ["export-person", str(home_of(stages, 1)), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert len(orjson.loads(out.read_bytes())["events"]) == 6
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    piped = CliRunner().invoke(app, ["export-person", str(home_of(stages, 1)), "--out", "-"])
    assert orjson.loads(piped.stdout_bytes)["format"] == FORMAT


@pytest.mark.usefixtures("command_line")
def test_it_is_told_about_whom_it_was_by_whatever_id(
    stages: StagesOnPostgres, database: str, tmp_path: Path
) -> None:
    anna(stages)
    ((merged, into),) = stages.rows(
        "SELECT profile_id, merged_into FROM customer_profile WHERE is_merged ORDER BY 1 LIMIT 1"
    )
    words = ["export-person", str(merged), "--actor", "ann"]
    with closing(AuditLog(database)) as log:
        for out in (tmp_path / "none" / "person.json", tmp_path / "person.json"):
            assert log.told("customer.exported") == []
            CliRunner().invoke(app, [*words, "--out", str(out)])
        ((actor, profiles, *_),) = log.told("customer.exported")
    assert (actor, sorted(profiles)) == ("ann", sorted([merged, into]))


def test_so_many_are_given_at_once_and_a_reader_that_goes_makes_room(
    database: str, stages: StagesOnPostgres
) -> None:
    anna(stages)
    settings = Settings.model_validate({"postgres_dsn": database})
    exports, profile = Exports(settings, ring(), stages.codec, stages.rules), home_of(stages, 1)
    reading = [exports(profile, "officer") for _ in range(MOST_EXPORTS)]
    assert all(next(pieces) for pieces in reading)
    with pytest.raises(ReadersBusy):
        next(exports(profile, "officer"))
    reading[0].close()
    assert orjson.loads(b"".join(exports(profile, "officer")))["format"] == FORMAT
    assert orjson.loads(b"".join(exports(profile, "officer")))["format"] == FORMAT
