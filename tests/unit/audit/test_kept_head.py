"""The head that is kept in a file is read as it was written, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr
from structlog.testing import capture_logs

from pipeline.audit.kept_head import KeptHead
from pipeline.audit.signing import Head
from pipeline.privacy.keyfile import KeyFile
from pipeline.privacy.keyring import key_ring
from pipeline.settings import Settings
from tests.support.people import ring

KEYS = ring().audit_keys()
HEAD = Head.made(7, b"h" * 32, datetime(2026, 1, 31, tzinfo=UTC), ring().audit_signer)


def kept(home: Path, database: str = "house") -> KeptHead:
    return KeptHead(Settings(home=home, postgres_dsn=SecretStr(f"postgresql://u:p@db.example/{database}")))


def test_it_is_read_as_it_was_written_and_of_its_database_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert kept(home).read(KEYS) is None
    kept(home).write(HEAD)
    assert kept(home).read(KEYS) == HEAD
    assert kept(home, "another").read(KEYS) is None
    assert [path.name for path in home.iterdir()] == ["audit-head-db.example-house"]


def test_what_no_key_of_ours_signed_is_told_and_not_read(tmp_path: Path) -> None:
    kept(tmp_path).write(HEAD)
    other = key_ring(KeyFile(1, {1: b"2" * 32})).audit_keys()
    (file,) = tmp_path.iterdir()
    with capture_logs() as logs:
        assert kept(tmp_path).read(other) is None
        for content in (b"", b"\xff", b"7:ab\n"):
            file.write_bytes(content)
            assert kept(tmp_path).read(KEYS) is None
    assert [line["log_level"] for line in logs] == ["error"] * 4


def test_where_it_cannot_be_kept_the_chain_goes_on(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, and no folder")
    with capture_logs() as logs:
        kept(tmp_path / "home").write(HEAD)
    assert [line["log_level"] for line in logs] == ["error"]
