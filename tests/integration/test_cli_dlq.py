"""`retail-brain dlq` on real servers and processes: bad events of both ways in are mended, replayed, stored once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import orjson
import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from typer.testing import CliRunner, Result

from cli.main import app
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.ids import new_id
from pipeline.privacy.keyring import load_key_ring
from pipeline.settings import Settings, settings
from pipeline.store.database import Database
from pipeline.stream.publish import KafkaPublisher, Outgoing
from pipeline.stream.relay import Relay
from schemas.codec import load_codec
from schemas.topics import topics
from tests.integration.test_dead_letters import BAD
from tests.support.processes import process
from tests.support.worker import eventually

STAGES = ("pipeline.normalize_stage", "pipeline.resolve_stage")
RELAY = "pipeline.stream.relay"
WORDS = (b"jane", b"4155552671", b"postbox")


@pytest.fixture
def run(house: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """The command line over the house."""
    for name in ("home", "kafka_bootstrap", "topic_prefix", "redis_url"):
        monkeypatch.setenv(f"RB_{name.upper()}", str(getattr(house, name)))
    monkeypatch.setenv("RB_POSTGRES_DSN", house.postgres_dsn.get_secret_value())
    settings.cache_clear()

    def invoke(*words: str, status: int = 0, typed: str | None = None) -> Result:
        result = CliRunner().invoke(app, ["dlq", *words], catch_exceptions=False, input=typed)
        assert result.exit_code == status, result.output
        return result

    yield invoke
    settings.cache_clear()


def data(result: Result) -> dict[str, object]:
    found: dict[str, object] = json.loads(result.stdout)
    return found


def letters(result: Result) -> Sequence[dict[str, object]]:
    return cast(Sequence[dict[str, object]], data(result)["letters"])


def produce(house: Settings, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": house.kafka_bootstrap})
    for value in values:
        producer.produce(house.topic("events.raw"), value, key=b"jane")
    assert producer.flush(15) == 0


def row(house: Settings, query: str) -> tuple[object, ...]:
    with psycopg.connect(house.postgres_dsn.get_secret_value()) as connection:
        found = connection.execute(query).fetchone()  # type: ignore[call-overload]
    assert found is not None
    return cast(tuple[object, ...], found)


def waiting(house: Settings) -> object:
    return row(house, "SELECT count(*) FROM dead_letter WHERE status = 'waiting'")[0]


def avro(house: Settings) -> bytes:
    """An upstream team's event without an id, whose source is no name."""
    fields = dict.fromkeys(("occurred_at", "accepted_at", "request_id", "correlation_id", "payload"))
    told = {"event_id": "", "source": "the till", "event_type": "visit", "traits": {"first_name": "Jane"}}
    return load_codec(house).encode(
        "events.raw", {**fields, **told, "identifiers": {"phone": ["+14155552671"]}}
    )


class _Killed(BaseException):
    """As SIGKILL, for the code that it hits."""


class _KilledAfterPublishing(KafkaPublisher):
    def publish(self, messages: Sequence[Outgoing]) -> None:
        super().publish(messages)
        raise _Killed


def relay_killed_between_publish_and_delete(house: Settings) -> None:
    publisher = _KilledAfterPublishing(house, "relay", lambda: False)
    with Database(house.postgres_dsn.get_secret_value(), "relay") as database:
        relay = Relay(house, database, publisher, threading.Event(), load_key_ring(house))
        with pytest.raises(_Killed):
            relay.publish_some()
    publisher.close()


def everything_in(house: Settings, topic: str) -> list[bytes]:
    """Keys and values of all messages."""
    config = {"group.id": house.topic("reader-" + topic), "auto.offset.reset": "earliest"}
    consumer = Consumer({"bootstrap.servers": house.kafka_bootstrap, "enable.partition.eof": True, **config})
    consumer.subscribe([house.topic(topic)])
    found, ends = [], set()
    while len(ends) < topics()[topic].partitions:
        for message in consumer.consume(500, 1.0):
            if message.error() is None:
                found += [message.key() or b"", message.value() or b""]
            else:
                ends.add(message.partition())
    consumer.close()
    return found


def test_bad_events_are_mended_replayed_and_stored_once(
    house: Settings, run: Callable[..., Result], tmp_path: Path
) -> None:
    with ExitStack() as running:
        for module in STAGES:
            running.enter_context(process(module, house, tmp_path / f"{module}.log"))
        with process(RELAY, house, tmp_path / "relay.log"):
            produce(house, orjson.dumps(BAD), avro(house), b'{"source": "Jane 4155552671')
            eventually(lambda: waiting(house) == 3)
        by_problem = {
            str(one["detail"]).partition(":")[0]: str(one["dead_letter_id"])
            for one in letters(run("list", "--json"))
        }
        phone, source, broken = (
            by_problem["identifiers.phone"],
            by_problem["source"],
            by_problem["broken JSON at character 27"],
        )
        text = run("list").stdout
        assert f"{phone}  schema_violation in normalize, waiting" in text
        text = run("show", phone).stdout
        assert '"phone": "41***71"' in text
        assert "It cannot be replayed as it stands." in text
        assert "It begins:" in run("show", broken).stdout
        with pytest.raises(BadInput, match=r"traits\.a b: "):
            run("edit", phone, "--set", "identifiers.phone=+14155552671", "--set", "traits.a b=x")
        run("edit", phone, "--set", "identifiers.phone=+14155552671", "--unset", "traits.last_name")
        edited = data(run("edit", source, "--set", "source=till-7", "--set", "payload.amount:=9.5", "--json"))
        assert edited["unreplayable"] is None
        dry = data(run("replay", "--reason", "schema_violation", "--dry-run", "--json"))
        assert (dry["done"], dry["dry_run"]) == (2, True)
        assert "2 replayed, 0 unchanged, 0 refused." in run("replay", phone, source).stdout
        again = data(run("replay", phone, source, "--json"))
        assert (again["done"], again["unchanged"]) == (0, 2)
        relay_killed_between_publish_and_delete(house)
        with process(RELAY, house, tmp_path / "relay.log"):
            eventually(lambda: row(house, "SELECT count(*) FROM outbox")[0] == 0)
            resolved = "SELECT sum(next_offset)::int FROM consumer_position WHERE stage = 'resolve'"
            eventually(lambda: row(house, resolved)[0] == 2 * 2)
        assert row(house, "SELECT count(*) FROM event") == (2,), "each was published twice"
        assert row(house, "SELECT count(DISTINCT profile_id), count(*) FROM identity_record") == (1, 2)
        assert waiting(house) == 1
        run("replay", "--all", status=1)
        whole = {**BAD, "event_id": "whole", "identifiers": {"loyalty_id": "L-1"}}
        run("edit", broken, "--event", "-", typed=json.dumps(whole))
        assert "1 would be replayed" in run("replay", "--all", "--dry-run").stdout
    actions = cast(Sequence[dict[str, object]], data(run("show", phone, "--json"))["actions"])
    assert [(a["action"], a["actor"], a["fields"]) for a in actions] == [
        ("edited", "cli", ["identifiers.phone", "traits.last_name"]),
        ("replayed", "cli", []),
    ]
    for topic in topics():
        if topic != "events.raw":
            held = b" ".join(everything_in(house, topic)).lower()
            assert not [word for word in WORDS if word in held], topic
    for log in tmp_path.glob("*.log"):
        assert not [word for word in WORDS if word in log.read_bytes().lower()], log


def test_letters_are_dropped_and_mistakes_are_named(
    house: Settings, run: Callable[..., Result], tmp_path: Path
) -> None:
    with (
        process(STAGES[0], house, tmp_path / "normalize.log"),
        process(RELAY, house, tmp_path / "relay.log"),
    ):
        produce(house, b"hello", b"hello again", orjson.dumps(BAD))
        eventually(lambda: waiting(house) == 3)
    because = ("--reason-text", "noise", "--actor", "ann")
    told = run("drop", "--reason", "undecodable", *because, "--dry-run").stdout
    assert "2 would be dropped" in told
    assert "data keys would be destroyed" in told
    assert waiting(house) == 3
    assert data(run("drop", "--reason", "undecodable", *because, "--json"))["done"] == 2
    assert run("list", "--reason", "undecodable").stdout == "No dead letter is waiting.\n"
    dropped = letters(run("list", "--status", "dropped", "--json"))
    assert "data key was destroyed" in run("show", str(dropped[0]["dead_letter_id"])).stdout
    assert len(letters(run("list", "--status", "any", "--limit", "2", "--json"))) == 2
    for words, error in (
        (["show", str(new_id())], NotFound),
        (["replay"], BadInput),
        (["replay", str(new_id()), "--all"], BadInput),
        (["list", "--since", "yesterday"], BadInput),
        (["edit", str(dropped[0]["dead_letter_id"]), "--set", "source=web"], Conflict),
        (["edit", str(dropped[0]["dead_letter_id"]), "--set", "source"], BadInput),
        (["edit", str(dropped[0]["dead_letter_id"]), "--set", "source:=web"], BadInput),
        (["edit", str(dropped[0]["dead_letter_id"]), "--event", str(tmp_path / "none")], BadInput),
    ):
        with pytest.raises(error):
            run(*words)
