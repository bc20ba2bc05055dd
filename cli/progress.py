"""Progress bars on stderr, so that what a command prints can be piped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

T = TypeVar("T")


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Progress]:
    """A Rich progress display; `quiet` shows nothing."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet,
    ) as display:
        yield display


def counted(items: Iterable[T], what: str, *, quiet: bool = False) -> Iterator[T]:
    """The items, counted as they pass."""
    with progress(quiet=quiet) as display:
        task = display.add_task(what, total=None)
        for count, item in enumerate(items, start=1):
            if count % 1_000 == 0:
                display.update(task, completed=count)
            yield item
