"""An audit log of a test: entries written, chained, tampered with and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
from psycopg.rows import TupleRow

from pipeline.audit.actions import Action
from pipeline.audit.chaining import Chainer
from pipeline.audit.entry import AuditEntry, Occasion
from pipeline.audit.signing import Head
from pipeline.audit.verification import Verified, verify_stored
from pipeline.identity.ids import Id
from pipeline.store.audit import last_head, write_audit
from pipeline.store.database import Database
from tests.support.people import ring

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def told(number: int) -> AuditEntry:
    """An entry that no other number has."""
    occasion = Occasion(f"r-{number}", "shop-app", api_key_id="0123456789abcdef")
    who = Id(number.to_bytes(16))
    return AuditEntry(Action.CUSTOMER_READ, "shop-app", AT, [who], (), "asked", occasion, {"number": number})


class AuditLog:
    """The audit log of a database, by the key ring of the tests."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.database = Database(dsn, "audit-test")
        self.chainer = Chainer(self.database, ring())

    def write(self, *numbers: int) -> None:
        """Entries, each by an insert of its own."""
        with self.database.transaction() as tx:
            for number in numbers:
                write_audit(tx, told(number))

    def chain(self) -> Head:
        """Chain all that waits; the head."""
        while self.chainer.chain_some():
            pass
        with self.database.transaction() as tx:
            found = last_head(tx)
        assert found is not None
        assert found[2] is not None
        return found[2]

    def restart(self, head: Head | None = None) -> None:
        """Another chainer, which knows nothing but the head that was kept for it."""
        self.chainer = Chainer(self.database, ring(), head=head)

    def verify(self, *heads: Head, after: Head | None = None) -> Verified:
        """What is found now."""
        return verify_stored(self.database, ring(), heads, after)

    def rows(self, query: str, *parameters: object) -> list[TupleRow]:
        """Rows of any query."""
        with self.database.transaction() as tx:
            return tx.connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def told(self, action: str | None = None) -> list[TupleRow]:
        """(actor, profiles, objects, reason, request_id, details) of entries of an action, the oldest first."""
        query = (
            "SELECT actor, profiles, objects, reason, request_id, details FROM audit_entry "
            "WHERE action = coalesce(%s, action) AND action <> 'migration.applied' ORDER BY entry_id"
        )
        return self.rows(query, action)

    def actions(self) -> list[str]:
        """The actions of all entries but migrations, the oldest first."""
        query = "SELECT action FROM audit_entry WHERE action <> 'migration.applied' ORDER BY entry_id"
        return [action for (action,) in self.rows(query)]

    def close(self) -> None:
        """Close the connection."""
        self.database.close()


@contextmanager
def as_superuser(dsn: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection that no trigger stops, as somebody has who owns the server."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


def tamper(dsn: str, *statements: str | tuple[str, Sequence[object]]) -> None:
    """Run statements past the triggers, in one transaction."""
    with as_superuser(dsn) as connection:
        for one in statements:
            statement, parameters = (one, ()) if isinstance(one, str) else one
            connection.execute(statement, parameters)  # type: ignore[arg-type]
