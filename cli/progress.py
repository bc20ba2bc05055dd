"""Progress bars on stderr, so that what a command prints can be piped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


@contextmanager
def steps(*names: str, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A display of steps by name, and what to call with (step, done, total); a total of 0 is not known."""
    with progress(quiet=quiet) as display:
        tasks = {name: display.add_task(name, total=None) for name in names}
        yield lambda step, done, total: display.update(tasks[step], completed=done, total=total or None)


def counted(items: Iterable[T], what: str, *, quiet: bool = False) -> Iterator[T]:
    """The items, counted as they pass."""
    with progress(quiet=quiet) as display:
        task = display.add_task(what, total=None)
        for count, item in enumerate(items, start=1):
            if count % 1_000 == 0:
                display.update(task, completed=count)
            yield item
