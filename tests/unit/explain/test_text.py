"""The text that stewards read."""

from __future__ import annotations

from pipeline.explain.example import example
from pipeline.explain.text import WIDTH, told


def test_no_line_is_too_wide_and_none_ends_in_blanks() -> None:
    lines = told(example()).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert not [line for line in lines if line != line.rstrip()]
