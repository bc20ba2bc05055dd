"""The relay's process chains the audit log, however it ends, and keeps heads where no database reaches: in its log."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.audit.breach import Breach
from pipeline.audit.kept_head import KeptHead
from pipeline.audit.signing import Head
from pipeline.audit.verification import verify_stored
from pipeline.privacy.keyring import load_key_ring
from pipeline.settings import Settings
from tests.support.audit import AuditLog, tamper
from tests.support.processes import process
from tests.support.worker import eventually

BROKEN = "WHERE action = 'audit.broken'"
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
    found = verify_stored(log.database, load_key_ring(settings), known)
    assert found.findings == ()
    ((entries,),) = log.rows("SELECT count(*) FROM audit_entry")
    assert found.entries == entries


def test_a_relay_that_is_started_anew_knows_what_was_signed(
    house: Settings, log: AuditLog, tmp_path: Path
) -> None:
    """By the file that the one before left: who cuts the end off while none runs is found all the same."""
    settings = house.model_copy(update={"home": tmp_path})
    kept = KeptHead(settings)
    ring = load_key_ring(settings)
    with process(RELAY, settings, tmp_path / "log") as relay:
        log.write(1)
        eventually(lambda: all_chained(log) and kept.read(ring.audit_keys()) is not None)
        log.write(2)
        eventually(lambda: all_chained(log))
        relay.terminate()
        relay.wait(20)
    head = kept.read(ring.audit_keys())
    assert head is not None
    assert log.rows("SELECT hash FROM audit_chain ORDER BY seq DESC LIMIT 1") == [(head.hash,)]
    tamper(log.dsn, f"DELETE FROM audit_chain WHERE seq = {head.seq}", "DELETE FROM audit_unchained")
    with process(RELAY, settings, tmp_path / "log"):
        eventually(lambda: log.rows("SELECT FROM audit_chain JOIN audit_entry USING (entry_id) " + BROKEN))
    assert Breach.BROKEN in {f.breach for f in verify_stored(log.database, ring).findings}
