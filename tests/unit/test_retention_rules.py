"""The rules of retention: what a file may say, and when what is so old came."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.retention.rules import NEVER, Span, load_rules
from pipeline.settings import Settings

NOW = datetime(2026, 3, 31, 17, 5, tzinfo=UTC)


def ends(tmp_path: Path, text: str) -> object:
    file = tmp_path / "retention.yaml"
    file.write_text(text)
    return load_rules(Settings(retention_file=file)).ends(NOW)


def test_each_rule_has_its_own_end(tmp_path: Path) -> None:
    text = """
events: {page_view: 90 days, purchase: 36 months, invoice: none, default: 2 years}
payload: 1 month
customers: 5 years
"""
    assert ends(tmp_path, text) == (
        ("invoice", "page_view", "purchase"),
        (NEVER, "2025-12-31T00:00:00+00:00", "2023-03-31T00:00:00+00:00"),
        "2024-03-31T00:00:00+00:00",
        "2026-02-28T00:00:00+00:00",
        "2021-03-31T00:00:00+00:00",
    )


def test_without_rules_everything_is_kept(tmp_path: Path) -> None:
    nothing = ((), (), NEVER, NEVER, NEVER)
    assert load_rules(Settings()).ends(NOW) == ends(tmp_path, "") == nothing
    assert load_rules(Settings()).ends(NOW).latest == NEVER


def test_a_month_back_is_never_another_month() -> None:
    assert Span(13, 0).before(NOW) == datetime(2025, 2, 28, tzinfo=UTC)
    assert Span(12, 0).before(datetime(2024, 2, 29, tzinfo=UTC)) == datetime(2023, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("payload: 29 days", "payload: .*at least 30 days"),
        ("payload: soon", "payload: .*36 months"),
        ("payload: 0 months", "payload: .*at least 30 days"),
        ("payload: 9", "payload"),
        ("events: {page view: 90 days}", "events"),
        ("event: {}", "event"),
        ("events: [", "no YAML"),
    ],
)
def test_a_wrong_rule_names_its_field(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(ConfigurationError, match=field):
        ends(tmp_path, text)
