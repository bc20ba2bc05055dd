"""A stage that meets too much bad pauses, says why wherever one looks, and goes on where it stood."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import orjson
import psycopg
import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from cli.main import app
from infra.doctor import examine
from infra.paused import paused_stages
from pipeline.errors import Conflict, StoreUnavailable
from pipeline.settings import Settings, settings
from pipeline.store.database import Database
from pipeline.store.pauses import open_pauses, pause_stage, resume_stage
from pipeline.stream.pausing import StoredPauses
from tests.support.processes import gateway, process
from tests.support.worker import eventually

NORMALIZE = "pipeline.normalize_stage"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def produce(house: Settings, values: Sequence[bytes]) -> None:
    producer = Producer({"bootstrap.servers": house.kafka_bootstrap})
    for value in values:
        producer.produce(house.topic("events.raw"), value, partition=0)
    assert producer.flush(15) == 0


def good(start: int, end: int) -> list[bytes]:
    return [
        orjson.dumps({"source": "web", "event_type": "visit", "event_id": f"v-{i}"})
        for i in range(start, end)
    ]


class Looking:
    """What a database tells of events, letters and pauses."""

    def __init__(self, house: Settings) -> None:
        self._dsn = house.postgres_dsn.get_secret_value()

    def one(self, query: str) -> object:
        with psycopg.connect(self._dsn) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        assert row is not None
        found: object = row[0]
        return found

    def events(self) -> object:
        return self.one("SELECT count(*) FROM customer_raw_event")

    def letters(self) -> object:
        return self.one(
            "SELECT coalesce(sum(cardinality(keys)), 0)::int FROM outbox WHERE topic = 'events.dead-letter'"
        )

    def paused(self) -> bool:
        return self.one("SELECT count(*) FROM stage_pause WHERE resumed_at IS NULL") == 1


def command(house: Settings, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setenv("RB_POSTGRES_DSN", house.postgres_dsn.get_secret_value())
    monkeypatch.setenv("RB_HOME", str(house.home))
    settings.cache_clear()
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    settings.cache_clear()
    assert result.exit_code == 0, result.output
    return result.output


def test_a_flood_pauses_normalize_until_somebody_resumes_it(
    house: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = house.model_copy(update={"dead_letter_window": 100, "batch_max_events": 50})
    look = Looking(house)
    produce(house, good(0, 300))
    with process(NORMALIZE, strict, tmp_path / "log"):
        eventually(lambda: look.events() == 300)
        produce(house, [b"hello"] * 200)
        eventually(look.paused)
        buried = look.letters()
        assert buried in range(51), "no more than half of the window is buried"
        produce(house, good(300, 400))
        with gateway(house, tmp_path / "gateway.log") as client:
            ready = client.get("/readyz")
            assert ready.status_code == 200, "events are taken all the same"
            body = ready.json()
            assert body["status"] == "degraded"
            (paused,) = body["paused"]
            assert paused["stage"] == "normalize"
            assert "dead letters in the last 100 messages" in paused["reason"]
    assert "paused until somebody resumes the stage" in (tmp_path / "log").read_text()
    (finding,) = [f for f in examine(house) if f.what == "normalize stage"]
    assert not finding.ok
    assert "stage resume normalize" in finding.mend
    lenient = house.model_copy(update={"dead_letter_ratio_max": 1.0})
    with process(NORMALIZE, lenient, tmp_path / "again.log"):
        eventually(lambda: "paused until" in (tmp_path / "again.log").read_text())
        assert (look.events(), look.letters()) == (300, buried), "a restart does not end a pause"
        told = command(house, monkeypatch, "stage", "resume", "normalize", "--reason", "mended", "--json")
        assert json.loads(told)["stage"] == "normalize"
        eventually(lambda: look.events() == 400)
        eventually(lambda: look.letters() == 200)
        ended = time.monotonic()
    assert time.monotonic() - ended < 10
    assert look.one("SELECT array_agg(resumed_by || ': ' || resume_reason) FROM stage_pause") == [
        "cli: mended"
    ]


def test_what_a_stage_was_paused_for_is_handled_first(house: Settings, tmp_path: Path) -> None:
    """With the settings unchanged: somebody looked, so that the batch in hand passes."""
    strict = house.model_copy(update={"dead_letter_window": 100, "batch_max_events": 50})
    look = Looking(house)
    produce(house, [b"hello"] * 60 + good(0, 200))
    with (
        Database(house.postgres_dsn.get_secret_value(), "test") as database,
        process(NORMALIZE, strict, tmp_path / "log"),
    ):
        eventually(look.paused)
        with database.transaction() as tx:
            resume_stage(tx, "normalize", "ann", "looked at them", NOW)
        eventually(lambda: (look.events(), look.letters()) == (200, 60))


def test_a_paused_stage_ends_at_once(house: Settings, tmp_path: Path) -> None:
    with Database(house.postgres_dsn.get_secret_value(), "test") as database, database.transaction() as tx:
        pause_stage(tx, "resolve", "a test", NOW)
    with process("pipeline.resolve_stage", house, tmp_path / "log") as running:
        eventually(lambda: "paused until" in (tmp_path / "log").read_text())
        running.terminate()
        assert running.wait(10) == 0


def test_a_pause_is_opened_once_and_ended_once(house: Settings) -> None:
    with Database(house.postgres_dsn.get_secret_value(), "test") as database:
        with database.transaction() as tx:
            pause_stage(tx, "cache", "first", NOW)
            pause_stage(tx, "cache", "second", NOW)
            (pause,) = open_pauses(tx)
            assert (pause.stage, pause.since, pause.reason) == ("cache", NOW, "first")
        assert StoredPauses("cache", house).paused() == "first"
        assert StoredPauses("normalize", house).paused() is None
        with database.transaction() as tx:
            assert resume_stage(tx, "cache", "ann", "done", NOW) == pause
        with pytest.raises(Conflict, match="not paused"), database.transaction() as tx:
            resume_stage(tx, "cache", "ann", "done", NOW)
        with database.transaction() as tx:
            pause_stage(tx, "cache", "third", NOW)
            assert open_pauses(tx) == (replace(pause, reason="third"),)


def test_while_postgres_is_away_what_was_seen_counts(house: Settings) -> None:
    away = house.model_copy(
        update={"postgres_dsn": type(house.postgres_dsn)("postgresql://postgres@127.0.0.1:1/nobody")}
    )
    assert StoredPauses("cache", away).paused() is None
    assert paused_stages(away) == ()


def test_a_look_that_takes_long_in_vain_is_not_taken_again_at_once(
    house: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at a Postgres that answers nothing takes as long as one stays fresh: else consumers only wait for it."""
    now, looks = [100.0], 0

    def nobody(*_: object) -> Database:
        nonlocal looks
        looks += 1
        now[0] += 5.0
        raise StoreUnavailable("no answer")

    monkeypatch.setattr("pipeline.stream.pausing.Database", nobody)
    monkeypatch.setattr("pipeline.stream.pausing.time", SimpleNamespace(monotonic=lambda: now[0]))
    pauses = StoredPauses("cache", house)
    for _ in range(5):
        assert pauses.soon() is None
    assert looks == 1
    now[0] += 5.0
    pauses.soon()
    assert looks == 2


def test_any_worker_of_a_stage_sees_the_pause(house: Settings) -> None:
    one, other = StoredPauses("resolve", house), StoredPauses("resolve", house)
    assert other.paused() is None
    thread = threading.Thread(target=one.pause, args=("too many",))
    thread.start()
    thread.join()
    assert (one.soon(), other.soon(), other.paused()) == ("too many", None, "too many")
