"""Whoever writes at the same time, and wherever a chainer is ended or meets another one: what was committed is chained
once, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import psycopg
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.rows import TupleRow

from pipeline.audit.chaining import Chainer
from pipeline.store.audit import write_audit
from pipeline.store.database import Database, Parameters, Transaction
from tests.support.audit import AuditLog, tamper, told
from tests.support.people import ring

WRITERS = 3
STEPS = (
    "claim_chain",
    "unchained_depth",
    "entries_to_chain",
    "audit_head",
    "copy_chain",
    "delete_unchained",
    "commit",
)

Act = tuple[str, int, int]
WRITER, STEP, INSERTS = st.integers(0, WRITERS - 1), st.integers(0, len(STEPS) - 1), st.integers(1, 3)
ACTS = st.one_of(
    st.tuples(st.just("write"), WRITER, st.integers(1, 3)),
    st.tuples(st.sampled_from(["commit", "roll back"]), WRITER, st.just(0)),
    st.tuples(st.just("chain"), st.just(0), INSERTS),
    st.tuples(st.sampled_from(["die", "meet"]), STEP, INSERTS),
)


class Ended(Exception):
    """A client is gone."""


class Watched(Database):
    """A database that calls `at_step` right before a step of the chainer's transaction, its commit being one."""

    def __init__(self, dsn: str, step: str, at_step: Callable[[], None]) -> None:
        super().__init__(dsn, "watched")
        self._step, self._at_step = step, at_step

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with super().transaction() as tx:
            yield WatchedTransaction(tx.connection, self._reached)
            self._reached("commit")

    def _reached(self, step: str) -> None:
        if step == self._step:
            self._at_step()


class WatchedTransaction(Transaction):
    def __init__(self, connection: psycopg.Connection[TupleRow], reached: Callable[[str], None]) -> None:
        super().__init__(connection)
        self._reached = reached

    def run(self, name: str, parameters: Parameters = ()) -> int:
        self._reached(name)
        return super().run(name, parameters)

    def row(self, name: str, parameters: Parameters = ()) -> TupleRow | None:
        self._reached(name)
        return super().row(name, parameters)

    def rows(self, name: str, parameters: Parameters = ()) -> list[TupleRow]:
        self._reached(name)
        return super().rows(name, parameters)

    def copy(self, name: str, types: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self._reached(name)
        super().copy(name, types, rows)


class History:
    """Transactions that write at the same time, chainers among them, and what of it all is to stand."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._writers = [Database(dsn, f"writer-{n}") for n in range(WRITERS)]
        self._open: dict[int, tuple[ExitStack, Transaction, list[int]]] = {}
        self._count = 0
        self.committed: set[int] = set()

    def act(self, what: str, which: int, count: int) -> None:
        match what:
            case "write":
                self._write(which, count)
            case "commit" | "roll back":
                self._end(which, commits=what == "commit")
            case "chain":
                self.chain(count)
            case "die":
                with suppress(Ended):
                    self._watched(STEPS[which], self._die, count)
            case "meet":
                self._watched(STEPS[which], partial(self.chain, count), count)

    def chain(self, inserts: int) -> int:
        with Database(self._dsn, "chainer") as database:
            return Chainer(database, ring(), inserts=inserts).chain_some()

    def _watched(self, step: str, at_step: Callable[[], object], inserts: int) -> None:
        with Watched(self._dsn, step, lambda: (at_step(), None)[1]) as database:
            Chainer(database, ring(), inserts=inserts).chain_some()

    def _die(self) -> None:
        raise Ended

    def _write(self, who: int, count: int) -> None:
        if who not in self._open:
            opened = ExitStack()
            self._open[who] = (opened, opened.enter_context(self._writers[who].transaction()), [])
        _, tx, written = self._open[who]
        numbers = range(self._count + 1, self._count + count + 1)
        write_audit(tx, *map(told, numbers))
        written += numbers
        self._count += count

    def _end(self, who: int, *, commits: bool) -> None:
        if who not in self._open:
            return
        opened, _, written = self._open.pop(who)
        if commits:
            opened.close()
            self.committed.update(written)
            return
        with suppress(Ended), opened:
            raise Ended

    def close(self) -> None:
        """All who still write commit."""
        for who in list(self._open):
            self._end(who, commits=True)
        for writer in self._writers:
            writer.close()


CHAINED = (
    "SELECT seq, (details ->> 'number')::int FROM audit_chain JOIN audit_entry USING (entry_id) ORDER BY seq"
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(acts=[("write", 0, 1), ("commit", 0, 0), ("meet", STEPS.index("copy_chain"), 1)])
@given(acts=st.lists(ACTS, min_size=3, max_size=25))
def test_what_was_committed_is_chained_once(database: str, acts: list[Act]) -> None:
    tamper(database, "TRUNCATE audit_entry, audit_chain, audit_unchained")
    log, history = AuditLog(database), History(database)
    try:
        for act in acts:
            history.act(*act)
        history.close()
        for _ in range(len(acts) + 1):
            history.chain(3)
        chained = log.rows(CHAINED)
        assert sorted(number for _, number in chained) == sorted(history.committed)
        assert [seq for seq, _ in chained] == list(range(1, len(chained) + 1))
        assert log.verify().findings == ()
    finally:
        history.close()
        log.close()
