"""Broken bytes on the topics and in files: each is one dead letter or one clear error, and nothing else is harmed."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from random import Random

import orjson
import psycopg
import pytest

from faults.mutation import mutated
from pipeline.configuration import load_model, load_policy
from pipeline.errors import BadMessage, ConfigurationError, SealBroken
from pipeline.mapping_file import read_mapping
from pipeline.settings import Settings
from schemas.topics import topics
from tests.support.contracts import example
from tests.support.pipeline import StagesOnPostgres, event

INPUTS = int(os.environ.get("FUZZ_INPUTS", "300"))
"""Broken inputs of each kind; `make fuzz` takes more."""
SECRETS = ("marker.of.somebody", "14155550199", "Markerson")
"""Long enough that no random bytes hold them as hex."""


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database)
    yield opened
    opened.close()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str, Counter[str]], None]:
    def told(what: str, outcomes: Counter[str]) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{outcomes.total():,} broken {what}: {dict(outcomes.most_common())}\n")

    return told


def somebody(number: int) -> dict[str, object]:
    """An event that is all secrets."""
    return {
        **event(number, {"email": f"{SECRETS[0]}{number}@mailbox.net", "phone": f"+{SECRETS[1]}"}, minute=0),
        "traits": {"first_name": "Anna", "last_name": SECRETS[2], "date_of_birth": "1980-01-02"},
        "payload": {"amount": 5, "currency": "USD", "items": [{"sku": "a", "quantity": 1, "price": 5}]},
    }


def outcome_of(decode: Callable[[], object]) -> str:
    """What came of broken input; another exception than a foreseen one is for the test to fail on.

    A seal that does not open may be our own key ring's fault, and text with a NUL on `events.normalized` is ours: such
    are not foreseen as the message's, and pause a stage where many come (`RB_DEAD_LETTER_RUN_MAX`).
    """
    try:
        decode()
    except (BadMessage, ConfigurationError, SealBroken, psycopg.DataError) as exc:
        told, kind = str(exc), exc.reason if isinstance(exc, BadMessage) else type(exc).__name__
    else:
        return "read"
    assert not any(secret in told for secret in SECRETS), told
    return kind


def test_decoders_raise_what_they_say(
    stages: StagesOnPostgres, tell: Callable[[str, Counter[str]], None]
) -> None:
    codec, draw = stages.codec, Random(1)
    outcomes: Counter[str] = Counter()
    for topic, declared in topics().items():
        good = codec.encode(topic, example(declared.schema))
        for _ in range(INPUTS):
            broken = mutated(good, draw)
            outcomes[outcome_of(lambda topic=topic, broken=broken: codec.decode(topic, broken))] += 1  # type: ignore[misc]
    tell("messages of all topics, decoded", outcomes)
    assert outcomes.keys() >= {"read", "undecodable"}


@pytest.mark.parametrize("form", ["json", "avro"])
def test_broken_raw_events_are_dead_letters_and_their_neighbours_are_stored(
    stages: StagesOnPostgres, tell: Callable[[str, Counter[str]], None], form: str
) -> None:
    draw, dead = Random(2), 0
    codec = stages.codec
    for start in range(0, INPUTS, 50):
        values = []
        for number in range(start, min(start + 50, INPUTS)):
            whole = orjson.dumps(somebody(number))
            if form == "avro":
                fields = codec.decode("events.raw", whole)
                whole = codec.encode("events.raw", {**fields, "accepted_at": datetime.now(UTC)})
            values += [
                mutated(whole, draw),
                orjson.dumps(event(10_000_000 + number, {"cookie_id": f"c-{number}"}, minute=0)),
            ]
        messages = [stages._message("events.raw", None, v) for v in values]
        dead += stages.normalize.handle(stages.batch("normalize", messages))
        stages.normalize.settle()
    ids = [str(event(10_000_000 + n, minute=0)["event_id"]) for n in range(INPUTS)]
    neighbours = stages.rows("SELECT count(*) FROM customer_raw_event WHERE event_id = ANY(%s::uuid[])", ids)
    letters = Counter(str(letter["reason"]) for letter in stages.outbox("events.dead-letter"))
    tell(f"raw events in {form}, normalized", letters + Counter(stored=INPUTS - dead))
    assert letters.total() == dead
    assert "processing_failed" not in letters
    assert stages.rows("SELECT count(*) FROM customer_raw_event") == [(2 * INPUTS - dead,)]
    assert neighbours == [(INPUTS,)]
    told = " ".join(str(letter["detail"]) for letter in stages.outbox("events.dead-letter"))
    assert not any(secret in told for secret in SECRETS)
    tables = [t for (t,) in stages.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    for table in tables:
        rows = str(stages.rows(f"SELECT t::text FROM {table} t"))
        assert not any(secret in rows or secret.encode().hex() in rows for secret in SECRETS), table


def test_broken_normalized_events_harm_only_themselves(
    stages: StagesOnPostgres, tell: Callable[[str, Counter[str]], None]
) -> None:
    draw = Random(3)
    outcomes: Counter[str] = Counter()
    values = stages.normalized(*(somebody(n) for n in range(INPUTS // 3)))
    for whole in values:
        batch = stages.to_resolve([mutated(whole, draw)])
        outcomes[outcome_of(lambda batch=batch: stages.resolve.handle(batch))] += 1  # type: ignore[misc]
    tell("normalized events, resolved", outcomes)
    stages.deliver(stages.normalized(somebody(50_000)))
    assert stages.rows("SELECT count(*) FROM event WHERE event_id::text LIKE '%%050000'") == [(1,)]


MAPPING = """
source: crm
record_id: number
identifiers: {email: mail, phone: {columns: [mobile, landline], split: ";"}}
traits:
  first_name: name
  ssn: {column: id}
"""


def test_broken_files_are_refused_by_name(tmp_path: Path, tell: Callable[[str, Counter[str]], None]) -> None:
    draw, outcomes, file = Random(4), Counter[str](), tmp_path / "file"
    shipped = resources.files("pipeline.identity").joinpath("data")
    settings = Settings(policy_file=file, model_file=file)
    for what, text, read in (
        ("mapping", MAPPING.encode(), lambda: read_mapping(file)),
        ("policy", shipped.joinpath("policy.yaml").read_bytes(), lambda: load_policy(settings)),
        ("model", shipped.joinpath("model.json").read_bytes(), lambda: load_model(settings)),
    ):
        for _ in range(INPUTS if what == "mapping" else INPUTS // 10):
            file.write_bytes(mutated(text, draw))
            outcomes[f"{what}: {outcome_of(read)}"] += 1
    tell("files", outcomes)
    assert outcomes.keys() >= {f"{what}: ConfigurationError" for what in ("mapping", "policy", "model")}
