"""A changed schema becomes a version; the files of this checkout are all frozen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas import freeze
from schemas.catalog import catalog


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    assert freeze.freeze(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_change_is_kept_under_the_next_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw_event.avsc").write_text("{}")
    changed = replace(catalog()["raw_event"][-1], version=9)
    monkeypatch.setattr(freeze, "unfrozen", lambda: [changed])
    assert freeze.freeze(tmp_path) == [tmp_path / "history" / "raw_event" / "9.avsc"]
    assert (tmp_path / "history" / "raw_event" / "9.avsc").read_text() == "{}"
