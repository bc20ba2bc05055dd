"""The search for interleavings finds what it is there to find, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import factorial

import pytest

from tests.support.interleavings import Bodies, Deadlock, Kind, Step, Worker, every_run


def read(worker: Worker, *things: str) -> None:
    step = Step(Kind.READ)
    worker.at(step)
    step.touches.update(things)


def commit(worker: Worker, *things: str) -> None:
    step = Step(Kind.COMMIT)
    worker.at(step)
    step.touches.update(things)


def lock(worker: Worker, thing: str) -> None:
    worker.at(Step(Kind.LOCK, thing))


def adding(count: int, locked: bool) -> Callable[[], tuple[Bodies, Callable[[], None]]]:
    """Workers that each read a number and write one more."""

    def scenario() -> tuple[Bodies, Callable[[], None]]:
        number = [0]

        def add(worker: Worker) -> None:
            if locked:
                lock(worker, "number")
            read(worker, "number")
            seen = number[0]
            commit(worker, "number")
            number[0] = seen + 1

        def check() -> None:
            assert number[0] == count, "an addition was lost"

        return [add] * count, check

    return scenario


def test_a_lost_update_is_found_and_told_step_by_step() -> None:
    with pytest.raises(AssertionError, match="an addition was lost") as found:
        every_run(adding(2, locked=False), 100)
    (told,) = found.value.__notes__
    assert told.splitlines() in (
        ["0: read", "1: read", "0: commit", "1: commit"],
        ["0: read", "1: read", "1: commit", "0: commit"],
    )


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_workers_behind_one_lock_go_in_every_order_once(workers: int) -> None:
    assert every_run(adding(workers, locked=True), 1_000) == factorial(workers)


def test_steps_that_do_not_touch_each_other_are_tried_in_one_order_only() -> None:
    def body(name: str) -> Callable[[Worker], None]:
        def run(worker: Worker) -> None:
            lock(worker, name)
            for _ in range(5):
                read(worker, name)
            commit(worker, name)

        return run

    assert every_run(lambda: ([body("a"), body("b"), body("c")], lambda: None), 10) == 1


def test_all_that_a_reader_can_see_of_two_writers_is_seen() -> None:
    seen: set[tuple[str, str]] = set()

    def scenario() -> tuple[Bodies, Callable[[], None]]:
        written = ""
        told: list[str] = []

        def write(name: str) -> Callable[[Worker], None]:
            def run(worker: Worker) -> None:
                nonlocal written
                commit(worker, "x")
                written += name

            return run

        def look(worker: Worker) -> None:
            for _ in range(2):
                read(worker, "x")
                told.append(written)

        return [look, write("a"), write("b")], lambda: seen.add((told[0], told[1]))

    every_run(scenario, 100)
    texts = ["", *("".join(p) for n in (1, 2) for p in permutations("ab", n))]
    assert seen == {(first, second) for first in texts for second in texts if second.startswith(first)}


def test_locks_in_another_order_are_a_deadlock() -> None:
    def body(*order: str) -> Callable[[Worker], None]:
        def run(worker: Worker) -> None:
            for thing in order:
                lock(worker, thing)
            commit(worker)

        return run

    assert every_run(lambda: ([body("a", "b"), body("a", "b")], lambda: None), 100) == 2
    with pytest.raises(Deadlock):
        every_run(lambda: ([body("a", "b"), body("b", "a")], lambda: None), 100)
