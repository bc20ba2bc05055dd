"""`ingest` sends with a key that may, or says that there is none before it sends anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.errors import ConfigurationError
from pipeline.settings import settings


@pytest.fixture
def _only_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RB_HOME", str(tmp_path))
    monkeypatch.setenv("RB_API_KEYS", "shop:read")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("_only_readers")
def test_without_a_key_that_may_ingest_it_says_so() -> None:
    command = ["ingest", "none.csv", "--mapping", "none.yaml"]
    with pytest.raises(ConfigurationError, match="RB_API_KEYS: no key of it holds ingest"):
        CliRunner().invoke(app, command, catch_exceptions=False)
