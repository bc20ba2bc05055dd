"""Every interleaving of a few workers, one after the other: dynamic partial-order reduction.

Each worker runs real code in a thread of its own and stops before every step that others could see or that could keep
it waiting: a read of what is committed, a lock, its end. Steps of which the order makes no difference are not tried in
both orders: two reads, locks of different things, a read and the end of what wrote something else (Flanagan & Godefroid
2005). So what is tried stands for every schedule there is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto


class Kind(Enum):
    """What a step is. COMMIT and ABORT end a transaction and give its locks back."""

    READ = auto()
    LOCK = auto()
    COMMIT = auto()
    ABORT = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """What a worker is about to do: lock the thing `what`. `touches` is what it came to read or write."""

    kind: Kind
    what: Hashable = None
    touches: set[Hashable] = field(default_factory=set)

    def orders(self, other: Step) -> bool:
        """Whether it makes a difference which of the two, of different workers, is first."""
        kinds = {self.kind, other.kind}
        if kinds == {Kind.LOCK}:
            return self.what == other.what
        return Kind.COMMIT in kinds and not self.touches.isdisjoint(other.touches)


class Deadlock(AssertionError):
    """Workers wait for each other's locks."""


class Abandoned(BaseException):
    """Ends the thread of a worker whose schedule is not run to its end."""


@dataclass(slots=True)
class Worker:
    """One of the workers, as its code sees it: call `at` before each step."""

    number: int
    _turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _stopped: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    pending: Step | None = None
    error: BaseException | None = None
    abandoned: bool = False
    done: bool = False

    def at(self, step: Step) -> None:
        """Wait until it is this step's turn."""
        self.pending = step
        self._stopped.release()
        self._turn.acquire()
        if self.abandoned:
            raise Abandoned

    def start(self, body: Callable[[Worker], None]) -> threading.Thread:
        """Run the body up to its first step."""

        def run() -> None:
            try:
                body(self)
            except BaseException as exc:
                self.error = None if isinstance(exc, Abandoned) else exc
            self.pending, self.done = None, True
            self._stopped.release()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._stopped.acquire()
        return thread

    def go(self) -> None:
        """Take the pending step, and run up to the next one."""
        self._turn.release()
        self._stopped.acquire()


@dataclass(slots=True)
class _State:
    """Before a step: who could go, who goes this time, who went in runs before and did what, and who is to go in one.

    `asleep`: whose next step would lead to a run that was there before, but for the order of steps that makes no
    difference (sleep sets: Godefroid 1996).
    """

    enabled: frozenset[int]
    asleep: dict[int, Step]
    chosen: int = -1
    tried: dict[int, Step] = field(default_factory=dict)
    to_try: set[int] = field(default_factory=set)

    def choose_another(self) -> bool:
        """Another one goes this time; False where nobody is left who would make a difference."""
        left = self.to_try - self.tried.keys() - self.asleep.keys()
        self.chosen = min(left, default=-1)
        return bool(left)

    def asleep_behind(self, step: Step) -> dict[int, Step]:
        """Who sleeps on after the chosen one took this step."""
        before = {**self.asleep, **self.tried}
        return {w: s for w, s in before.items() if w != self.chosen and not s.orders(step)}


class _Redundant(Exception):
    """Whoever could go now would lead to a run that was there before."""


@dataclass(frozen=True, slots=True)
class Run:
    """A schedule as it went: the workers' numbers and steps."""

    steps: tuple[tuple[int, Step], ...]
    is_whole: bool

    def __str__(self) -> str:
        """For whoever has to understand a failure."""
        return "\n".join(f"{w}: {s.kind.name.lower()} {s.what or ''}".rstrip() for w, s in self.steps)


Bodies = Sequence[Callable[[Worker], None]]


def every_run(scenario: Callable[[], tuple[Bodies, Callable[[], None]]], most: int) -> int:
    """Run every interleaving of a scenario, and check what each leaves; returns how many there were.

    `scenario` sets the world up anew and returns what the workers do and what checks the world afterwards. Raises
    Deadlock, what a worker or the check raises with the schedule as a note, and AssertionError if there are more than
    `most`.
    """
    states: list[_State] = []
    whole = 0
    for _ in range(most):
        bodies, check = scenario()
        run = _run(bodies, states)
        if run.is_whole:
            whole += 1
            try:
                check()
            except AssertionError as exc:
                exc.add_note(str(run))
                raise
        _plan(run, states)
        while states and not states[-1].choose_another():
            states.pop()
        if not states:
            return whole
    raise AssertionError(f"more than {most} interleavings: make the scenario smaller")


def _run(bodies: Bodies, states: list[_State]) -> Run:
    """Follow the states as they chose, and then whoever comes first."""
    workers = [Worker(n) for n in range(len(bodies))]
    threads = [w.start(body) for w, body in zip(workers, bodies, strict=True)]
    steps: list[tuple[int, Step]] = []
    is_whole = True
    try:
        _schedule(workers, states, steps)
    except _Redundant:
        is_whole = False
    except BaseException as exc:
        exc.add_note(str(Run(tuple(steps), False)))
        raise
    finally:
        for worker in workers:
            if not worker.done:
                worker.abandoned = True
                worker.go()
        for thread in threads:
            thread.join()
    return Run(tuple(steps), is_whole)


def _schedule(workers: Sequence[Worker], states: list[_State], steps: list[tuple[int, Step]]) -> None:
    held: dict[Hashable, int] = {}
    while not all(w.done for w in workers):
        enabled = frozenset(
            w.number
            for w in workers
            if w.pending
            and not (w.pending.kind is Kind.LOCK and held.get(w.pending.what, w.number) != w.number)
        )
        if not enabled:
            raise Deadlock("workers wait for each other")
        if len(steps) == len(states):
            asleep = states[-1].asleep_behind(steps[-1][1]) if states else {}
            if enabled <= asleep.keys():
                raise _Redundant
            states.append(_State(enabled, asleep, to_try={min(enabled - asleep.keys())}))
            states[-1].choose_another()
        state = states[len(steps)]
        assert state.enabled == enabled, "a worker did another thing in the same schedule"
        worker = workers[state.chosen]
        step = worker.pending
        assert step is not None
        steps.append((worker.number, step))
        if step.kind is Kind.LOCK:
            held[step.what] = worker.number
        worker.go()
        state.tried[worker.number] = step
        if step.kind in (Kind.COMMIT, Kind.ABORT):
            held = {what: by for what, by in held.items() if by != worker.number}
        if worker.error is not None:
            raise worker.error


def _plan(run: Run, states: Sequence[_State]) -> None:
    """For each step note the last one of another worker that it could have come before, with another outcome."""
    before: list[int] = []  # of each step those that had to be before it, as a bit set
    locks: dict[tuple[int, Hashable], int] = {}
    released: dict[Hashable, int] = {}
    for j, (worker, step) in enumerate(run.steps):
        had_to = 0
        for i in range(j):
            if run.steps[i][0] == worker:
                had_to |= before[i] | 1 << i
        racing = None
        for i in range(j - 1, -1, -1):
            other, earlier = run.steps[i]
            if other != worker and step.orders(earlier):
                if racing is None and not had_to >> i & 1:
                    racing = i
                had_to |= before[i] | 1 << i
        if step.kind is Kind.LOCK:
            if step.what in released:
                had_to |= before[released[step.what]] | 1 << released[step.what]
            locks[worker, step.what] = j
        elif step.kind in (Kind.COMMIT, Kind.ABORT):
            for by, what in [held for held in locks if held[0] == worker]:
                released[what] = j
                del locks[by, what]
        before.append(had_to)
        if racing is not None:
            states[racing].to_try |= {worker} & states[racing].enabled or states[racing].enabled
