"""`retail-brain audit`: checked, exported, checked again without the database, and read."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.errors import BadInput, NotFound
from pipeline.settings import settings
from tests.support.audit import AuditLog, tamper

Json = dict[str, object]


@pytest.fixture
def log(command_line: None, database: str) -> Iterator[AuditLog]:
    tamper(database, "TRUNCATE audit_entry, audit_unchained")
    with closing(AuditLog(database)) as opened:
        yield opened


def run(*words: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["audit", *words], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


def data(*words: str, status: int = 0) -> Json:
    found: Json = json.loads(run(*words, "--json", status=status))
    return found


def written(log: AuditLog, *numbers: int) -> str:
    log.write(*numbers)
    log.chain()
    return run("head").strip()


def test_the_stored_log_is_checked(log: AuditLog, database: str) -> None:
    kept = written(log, 1, 2, 3)
    assert "All 3 entries stand as they were chained." in run("verify")
    assert data("verify", "--head", kept) == {"entries": 3, "head": kept, "findings": []}
    tamper(database, "UPDATE audit_entry SET reason = 'another' WHERE request_id = 'r-2'")
    told = run("verify", status=1)
    assert told.startswith("changed at 2: entry ")
    assert "1 entries hold before that." in told
    ((finding,)) = (data("verify", status=1)["findings"],)
    assert [(f["breach"], f["seq"]) for f in finding] == [("changed", 2)]  # type: ignore[index, attr-defined]


def test_an_end_that_was_cut_off_is_found_by_the_head_that_was_printed(log: AuditLog, database: str) -> None:
    written(log, 1, 2)
    kept = written(log, 3)
    tamper(
        database,
        "DELETE FROM audit_entry WHERE request_id = 'r-3'",
        "DELETE FROM audit_chain WHERE seq = 3",
    )
    run("verify")
    assert run("verify", "--head", kept, status=1).startswith("cut_off at 3: the chain ends at 2")
    with pytest.raises(BadInput, match=r"^head: it is none"):
        run("verify", "--head", kept[:-1])


def test_an_export_is_checked_without_the_database(
    log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(log, 1, 2)
    kept = written(log, 3, 4)
    out, rest = tmp_path / "audit.ndjson", tmp_path / "rest.ndjson"
    assert run("export", "--out", str(out)) == f"4 entries written to {out}\n"
    assert data("export", "--out", str(rest), "--after", "2") == {
        "entries": 2,
        "out": str(rest),
        "head": kept,
    }
    assert run("export", "--out", "-").splitlines()[1:-1] == out.read_text().splitlines()[1:-1]
    assert list(tmp_path.glob("*.part")) == []
    key = run("key").strip()
    monkeypatch.setenv("RB_POSTGRES_DSN", "postgresql://127.0.0.1:1/none")
    monkeypatch.setattr("pipeline.privacy.keyring.load_key_ring", None)
    settings.cache_clear()
    for file in (out, rest):
        assert data("verify", str(file), "--public-key", key, "--head", kept)["findings"] == []
    with pytest.raises(BadInput, match=r"^--public-key: give what `retail-brain audit key` prints"):
        run("verify", str(out))
    out.write_bytes(out.read_bytes().replace(b'"number":3', b'"number":7'))
    assert run("verify", str(out), "--public-key", key, status=1).startswith("changed at 3: ")
    with pytest.raises(BadInput, match=r"^--public-key: it is for checking a file"):
        run("verify", "--public-key", key)


def test_what_was_not_checked_is_said(log: AuditLog, tmp_path: Path) -> None:
    first = written(log, 1)
    second = written(log, 2)
    out = tmp_path / "audit.ndjson"
    run("export", "--out", str(out), "--after", "1")
    third = written(log, 3)
    key = run("key").strip()
    heads = [word for head in (first, second, third) for word in ("--head", head)]
    told = run("verify", str(out), "--public-key", key, *heads)
    assert "The head at 1 lies" not in told, "the file follows on it"
    assert "The head at 3 lies outside the file, which holds 2 to 2: it was not checked." in told
    assert "The entries behind 1, up to 2, stand as they were chained." in told
    assert data("verify", str(out), "--public-key", key, *heads)["heads_outside"] == [third]


def test_what_stands_behind_a_head_is_checked_by_itself(log: AuditLog, database: str, tmp_path: Path) -> None:
    first = written(log, 1, 2)
    written(log, 3)
    tamper(database, "UPDATE audit_entry SET reason = 'another' WHERE request_id = 'r-1'")
    run("verify", status=1)
    assert "The entries behind 1, up to 3, stand as they were chained." in run("verify", "--after", first)
    with pytest.raises(BadInput, match=r"^--after: it is for checking the database"):
        run("verify", str(tmp_path / "x"), "--after", first)


def test_an_earlier_head_is_looked_for_in_a_file_too(log: AuditLog, database: str, tmp_path: Path) -> None:
    written(log, 1)
    kept = written(log, 2)
    tamper(database, "TRUNCATE audit_entry, audit_chain, audit_unchained")
    log.chainer.head = None
    written(log, 3)
    written(log, 4)
    out = tmp_path / "audit.ndjson"
    run("export", "--out", str(out))
    key = run("key").strip()
    run("verify", str(out), "--public-key", key)
    told = run("verify", str(out), "--public-key", key, "--head", kept, status=1)
    assert told.startswith("rewritten at 2: ")


def test_an_export_that_comes_to_nothing_leaves_the_one_before(log: AuditLog, tmp_path: Path) -> None:
    written(log, 1)
    out = tmp_path / "audit.ndjson"
    run("export", "--out", str(out))
    before = out.read_bytes()
    with pytest.raises(NotFound, match="nothing is chained behind 1"):
        run("export", "--out", str(out), "--after", "1")
    assert out.read_bytes() == before
    assert list(tmp_path.glob("*.part")) == []
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_entries_are_listed(log: AuditLog) -> None:
    written(log, 1, 2)
    log.write(3)
    told = run("list")
    assert "customer.read by shop-app" in told
    assert "not chained yet" in told
    assert 'because "asked"' in told
    assert "request r-1, key shop-app (0123456789abcdef)" in told
    found = data(
        "list", "--limit", "2", "--action", "customer.*", "--actor", "shop-app", "--since", "2026-01-31"
    )
    assert [entry["request_id"] for entry in found] == ["r-3", "r-2"]  # type: ignore[index]
    (one,) = data("list", "--about", "00000000-0000-0000-0000-000000000002")
    assert (one["seq"], one["profiles"]) == (2, ["00000000-0000-0000-0000-000000000002"])  # type: ignore[index]
    assert "There are more" in run("list", "--limit", "1")
    assert run("list", "--actor", "ben") == "No entry is so.\n"
    with pytest.raises(BadInput, match=r"'customer.seen' is none; there are customer.read"):
        run("list", "--action", "customer.seen")


def test_without_a_chain_there_is_no_head(log: AuditLog) -> None:
    with pytest.raises(NotFound, match="nothing is chained"):
        run("head")
