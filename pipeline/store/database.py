"""The one place that speaks to Postgres: named queries, transactions, and driver errors translated once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import resources
from types import TracebackType
from typing import LiteralString, cast

import orjson
import psycopg
from psycopg import errors as pg
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_loads

from pipeline.errors import ConfigurationError, RightsLacking, StoreUnavailable, TransactionConflict
from pipeline.store.arrays import ArrayDumper
from pipeline.store.ids import adapt_ids
from pipeline.store.roles import with_options

set_json_loads(orjson.loads)
# Our queries look up arrays of keys by their indexes. Left to itself, the planner at times reads and hashes a whole
# table for an array of a thousand, or compiles a query that runs for a millisecond, or groups a batch's keys on disk.
_PLANNER = (
    "-c jit=off -c random_page_cost=1.1 -c enable_hashjoin=off -c enable_mergejoin=off -c work_mem=16MB"
)
_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@lru_cache(maxsize=1)
def _queries() -> Mapping[str, LiteralString]:
    found: dict[str, LiteralString] = {}
    for file in sorted(resources.files("pipeline.store").joinpath("sql").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        parts = _NAME.split(file.read_text("utf-8"))[1:]
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ConfigurationError(f"query {name} is declared twice; the second is in {file.name}")
            # the files are part of the program, so their text is as literal as a constant
            found[name] = cast(LiteralString, text.strip())
    return found


def sql(name: str) -> LiteralString:
    """The query declared as `-- name: <name>` in pipeline/store/sql/*.sql. KeyError where there is none."""
    return _queries()[name]


@contextmanager
def translated() -> Iterator[None]:
    """Driver errors as ours: StoreUnavailable (away), RightsLacking (our role may not), TransactionConflict (lost a
    race); others pass as they are."""
    try:
        yield
    except (pg.ProgramLimitExceeded, pg.StatementTooComplex, pg.TooManyColumns, pg.TooManyArguments):
        raise  # the driver counts them as operational, but they are the data's fault and never pass
    except pg.InsufficientPrivilege as exc:
        raise RightsLacking(
            f"{str(exc).splitlines()[0]}: `retail-brain migrate` gives roles their rights"
        ) from exc
    except (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable) as exc:
        raise TransactionConflict(type(exc).__name__) from exc
    except (
        pg.OperationalError,  # includes connection failures, shutdowns, disk full, too many connections
        psycopg.InterfaceError,
        pg.ReadOnlySqlTransaction,  # a standby that is not promoted yet, or a primary that was demoted
    ) as exc:
        raise StoreUnavailable(str(exc).splitlines()[0] if str(exc) else type(exc).__name__) from exc


class Database:
    """One connection, opened when first needed and opened anew after it broke. Not for use by several threads.

    `schema` is looked in before `public`, where a table has one of its name there.
    """

    def __init__(self, dsn: str, application: str, schema: str | None = None) -> None:
        options = _PLANNER if schema is None else f"{_PLANNER} -c search_path={schema},public"
        self._dsn = with_options(dsn, options)
        self._application = application
        self._connection: psycopg.Connection[TupleRow] | None = None

    @property
    def session(self) -> object | None:
        """The connection that is open, if one is. What was read holds for as long as it is the same: the next one may
        be to a standby that took over and lacks what was committed last."""
        return None if self._connection is None or self._connection.closed else self._connection

    def _connected(self) -> psycopg.Connection[TupleRow]:
        if self._connection is None or self._connection.closed:
            with translated():
                self._connection = psycopg.connect(
                    self._dsn,
                    application_name=self._application,
                    connect_timeout=5,
                    prepare_threshold=1,
                )
            self._connection.adapters.register_dumper(list, ArrayDumper)
            adapt_ids(self._connection)
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A READ COMMITTED transaction: committed at the end of the block, rolled back by an exception.

        Raises StoreUnavailable, TransactionConflict. After StoreUnavailable it is unknown whether a commit took place:
        run the batch again, its effects are idempotent.
        """
        connection = self._connected()
        try:
            with translated(), connection.transaction():
                yield Transaction(connection)
        except StoreUnavailable:
            self.close()
            raise

    @contextmanager
    def rehearsal(self) -> Iterator[Transaction]:
        """A transaction that is rolled back at the end of the block. Raises what `transaction` raises."""
        with self.transaction() as tx:
            yield tx
            raise psycopg.Rollback

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """A transaction that reads everything as it was at its first query, for queries over whole tables.

        REPEATABLE READ and READ ONLY: it waits for nobody and nobody waits for it, but what is deleted meanwhile is
        kept until it ends. Raises StoreUnavailable.
        """
        with self.transaction() as tx:
            tx.run("begin_snapshot")
            tx.run("plan_for_whole_tables")
            yield tx

    def notified(self, seconds: float) -> bool:
        """Wait for a notification on a channel that a transaction of ours ran LISTEN for; False when none came.

        Raises StoreUnavailable; the next transaction opens another connection, which has to LISTEN again.
        """
        connection = self._connected()
        try:
            with translated():
                return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))
        except StoreUnavailable:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next transaction opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


Parameters = Sequence[object] | Mapping[str, object]
_COPY_HEADER, _COPY_TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


class Transaction:
    """Runs named queries inside an open transaction."""

    def __init__(self, connection: psycopg.Connection[TupleRow]) -> None:
        self.connection = connection

    def run(self, name: str, parameters: Parameters = ()) -> int:
        """Run the named query for its effect; returns the count of rows affected, which nobody knows if `unawaited`."""
        return self.connection.execute(sql(name), parameters).rowcount

    def rows(self, name: str, parameters: Parameters = ()) -> list[TupleRow]:
        """All rows of the named query, in binary format."""
        return self.connection.execute(sql(name), parameters, binary=True).fetchall()

    def rows_meanwhile(
        self, name: str, parameters: Parameters, meanwhile: Callable[[], None]
    ) -> list[TupleRow]:
        """`rows` of a query that takes the server a while: `meanwhile` runs in that time. It must not use this
        connection."""
        with self.connection.pipeline():
            cursor = self.connection.execute(sql(name), parameters, binary=True)
            meanwhile()
        return cursor.fetchall()

    def row(self, name: str, parameters: Parameters = ()) -> TupleRow | None:
        """The first row of the named query, or None."""
        return self.connection.execute(sql(name), parameters, binary=True).fetchone()

    @contextmanager
    def unawaited(self) -> Iterator[None]:
        """Statements `run` in here are sent one behind the other; what they raise comes at the end, or with `rows`.

        So the server works while its client does. COPY is not possible in here (libpq's pipeline mode).
        """
        with self.connection.pipeline():
            yield

    def stream(
        self, name: str, parameters: Parameters = (), batch: int = 5_000, cursor: str | None = None
    ) -> Iterator[TupleRow]:
        """The rows one by one through a server-side cursor: memory holds one batch, however many there are. The cursor
        has the query's name, unless another is given so that the same query can be read twice at a time."""
        with self.connection.cursor(cursor or name, binary=True) as opened:
            opened.itersize = batch
            yield from opened.execute(sql(name), parameters)

    def copy(self, name: str, types: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Binary COPY of rows by the named `COPY ... FROM STDIN (FORMAT binary)`; `types` are Postgres type names."""
        with self.connection.cursor() as cursor, cursor.copy(sql(name)) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def copy_binary(self, name: str, rows: bytes) -> None:
        """COPY of rows that are encoded already, each as its number of fields and every field behind its length (the
        format of binary COPY in PostgreSQL's documentation): for small rows of fixed size, of which there are many."""
        with self.connection.cursor() as cursor, cursor.copy(sql(name)) as copy:
            copy.write(_COPY_HEADER + rows + _COPY_TRAILER)
