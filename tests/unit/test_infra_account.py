"""Root's Postgres: what `nobody` cannot reach is copied, and no folder is opened up for it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded import account
from infra.embedded.account import reachable_copy
from pipeline.errors import ServerFailed

PARTS = (Path("package/bin"), Path("package.libs"))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="rb-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def installed(open_folder: Path) -> Path:
    root = open_folder / "site-packages"
    for part in PARTS:
        (root / part).mkdir(parents=True)
    (root / PARTS[0] / "postgres").write_text("program")
    (root / PARTS[0] / "big.a").write_text("not needed")
    return root


@pytest.fixture(autouse=True)
def _copies(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "COPIES", open_folder / "copies")
    reachable_copy.cache_clear()


def test_what_everybody_may_reach_is_used_as_it_is(installed: Path) -> None:
    assert reachable_copy(installed, PARTS) == installed


def test_what_is_private_is_copied_once_and_stays_private(installed: Path, open_folder: Path) -> None:
    installed.chmod(0o700)
    copy = reachable_copy(installed, PARTS)
    assert (copy / PARTS[0] / "postgres").read_text() == "program"
    assert not (copy / PARTS[0] / "big.a").exists()
    assert installed.stat().st_mode & 0o777 == 0o700
    reachable_copy.cache_clear()
    assert reachable_copy(installed, PARTS) == copy
    assert list((open_folder / "copies").iterdir()) == [copy]


def test_nowhere_to_copy_to_is_said(
    installed: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.chmod(0o700)
    (open_folder / "file").write_text("no folder")
    monkeypatch.setattr(account, "COPIES", open_folder / "file")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(open_folder / "file"))
    with pytest.raises(ServerFailed, match="cannot reach"):
        reachable_copy(installed, PARTS)
