"""The relay's process chains the audit log, however it ends, and keeps heads where no database reaches: in its log."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.audit.signing import Head
from pipeline.audit.verification import verify_stored
from pipeline.privacy.keyring import load_key_ring
from pipeline.settings import Settings
from tests.support.audit import AuditLog
from tests.support.processes import process
from tests.support.worker import eventually

RELAY = "pipeline.stream.relay"


@pytest.fixture
def log(house: Settings) -> Iterator[AuditLog]:
    with closing(AuditLog(house.postgres_dsn.get_secret_value())) as opened:
        yield opened


def all_chained(log: AuditLog) -> bool:
    return not log.rows("SELECT FROM audit_unchained")


def heads(log: Path) -> list[Head]:
    told = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return [Head.parse(line["head"]) for line in told if line.get("message") == "audit head"]


def test_a_relay_that_is_killed_leaves_no_gap(house: Settings, log: AuditLog, tmp_path: Path) -> None:
    settings = house.model_copy(update={"home": tmp_path})
    known: list[Head] = []
    for turn, number in enumerate((signal.SIGKILL, signal.SIGTERM)):
        told = tmp_path / f"log-{turn}"
        with process(RELAY, settings, told) as relay:
            log.write(*range(turn * 10 + 1, turn * 10 + 11))
            eventually(lambda: all_chained(log))
            eventually(lambda told=told: bool(heads(told)))  # type: ignore[misc]
            log.write(turn * 10 + 11)
            relay.send_signal(number)
            relay.wait(20)
        known += heads(told)
    with process(RELAY, settings, tmp_path / "log"):
        eventually(lambda: all_chained(log))
    keys = load_key_ring(settings).audit_keys()
    found = verify_stored(log.database, keys, known)
    assert found.findings == ()
    ((entries,),) = log.rows("SELECT count(*) FROM audit_entry")
    assert found.entries == entries
