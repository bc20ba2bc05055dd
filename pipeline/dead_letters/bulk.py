"""Acting on many dead letters, some at a time, each some in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pipeline.identity.ids import Id
from pipeline.store.database import Database, Transaction
from pipeline.store.dead_letters import WAITING, Choice, lock_chosen, lock_letters

AT_A_TIME = 32  # raw events are at most half a MiB each, and a row of the outbox should stay below 16
MOST_TOLD = 100

Refusals = Mapping[Id, str]
Act = Callable[[Transaction, Sequence[Id]], Refusals]
"""Acts on letters that wait and are locked; returns those it refused, with the reason."""


@dataclass(frozen=True, slots=True)
class Untouched:
    """A letter that nothing was done with, and why: `refused`, or `unchanged`, since it was done with before."""

    dead_letter_id: Id
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: of `done`, `unchanged` and `refused` letters; of a dry run, what would. `untouched` names the
    first hundred of the latter two."""

    action: str
    dry_run: bool
    done: int
    unchanged: int
    refused: int
    untouched: tuple[Untouched, ...]


@dataclass(slots=True)
class _Tally:
    counts: dict[str, int] = field(default_factory=lambda: {"done": 0, "unchanged": 0, "refused": 0})
    untouched: list[Untouched] = field(default_factory=list)

    def act(self, tx: Transaction, asked: Sequence[Id], standing: Mapping[Id, str], act: Act) -> None:
        """Act on those of the letters asked for that stand and wait; they are locked."""
        waiting = [letter_id for letter_id, status in standing.items() if status == WAITING]
        refused = act(tx, waiting)
        self.counts["done"] += len(waiting) - len(refused)
        for letter_id in asked:
            if letter_id not in standing:
                self._note(letter_id, "refused", "there is no such dead letter")
            elif standing[letter_id] != WAITING:
                self._note(letter_id, "unchanged", f"it was {standing[letter_id]} before")
            elif letter_id in refused:
                self._note(letter_id, "refused", refused[letter_id])

    def _note(self, letter_id: Id, outcome: str, detail: str) -> None:
        self.counts[outcome] += 1
        if len(self.untouched) < MOST_TOLD:
            self.untouched.append(Untouched(letter_id, outcome, detail))


def act_on(
    database: Database, which: Sequence[Id] | Choice, act: Act, action: str, now: datetime, *, dry_run: bool
) -> Done:
    """Act on the letters named, or on all chosen ones that wait and failed before `now`.

    So what is replayed and fails again meanwhile is not replayed once more, over and over.
    What is done is done, should it end in between: the same call again does the rest. Raises RetryLater.
    """
    tally = _Tally()
    if isinstance(which, Choice):
        which = replace(which, until=now if which.until is None else min(which.until, now))
        more, after = True, None
        while more:
            with database.transaction() as tx:
                standing, after = lock_chosen(tx, which, AT_A_TIME, after)
                tally.act(tx, tuple(standing), standing, act)
            more = after is not None
    else:
        distinct = list(dict.fromkeys(which))
        for start in range(0, len(distinct), AT_A_TIME):
            asked = distinct[start : start + AT_A_TIME]
            with database.transaction() as tx:
                tally.act(tx, asked, lock_letters(tx, asked), act)
    return Done(action, dry_run, **tally.counts, untouched=tuple(tally.untouched))
