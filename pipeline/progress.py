"""How long steps tell of themselves, whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

STEP = 1000
"""Rows, records or comparisons between two reports."""

Progress = Callable[[str, int, int], None]
"""Called with (step, done, total); total is 0 where it is not known."""


def silent(step: str, done: int, total: int) -> None:
    """Progress nobody watches."""


def watched(items: Iterable[T], step: str, total: int, progress: Progress) -> Iterator[T]:
    """The items, reported as they pass."""
    done = 0
    for item in items:
        yield item
        done += 1
        if done % STEP == 0:
            progress(step, done, total)
    progress(step, done, done)
