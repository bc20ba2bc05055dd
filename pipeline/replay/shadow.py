"""The schema that a replay decides in, beside the live house."""

from __future__ import annotations

import re
from datetime import datetime

from psycopg import sql as composed
from psycopg.rows import TupleRow

from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.replay.logic import Begun, Logic
from pipeline.store.configurations import register
from pipeline.store.database import Database, Transaction, sql
from pipeline.store.key_versions import key_versions, stored_versions

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_RESERVED = frozenset(("public", "information_schema"))


def shadow_database(dsn: str, schema: str) -> Database:
    """A connection to the shadow of that name, which need not be there yet. Raises BadInput."""
    if not _NAME.fullmatch(schema) or schema in _RESERVED or schema.startswith("pg_"):
        raise BadInput(
            "--shadow", "name a schema of its own: small letters, digits and _, 41 at most, a letter first"
        )
    return Database(dsn, "replay", schema)


class Shadow:
    """One shadow, by its name."""

    def __init__(self, database: Database, schema: str) -> None:
        self.database = database
        self.schema = schema

    def stands(self, tx: Transaction) -> bool:
        """Whether it is there. Raises Conflict where a schema of its name is somebody else's."""
        there, ours = tx.row("shadow_stands", {"name": self.schema}) or (False, False)
        if there and not ours:
            raise Conflict(
                f"schema {self.schema} is there, and no replay made it: name another one with --shadow"
            )
        return bool(there)

    def begin(self, logic: Logic, from_time: datetime | None, now: datetime) -> None:
        """Make it, or find it begun with the same. Raises Conflict."""
        with self.database.transaction() as tx:
            begun = Begun.by(logic, from_time, key_versions(tx, logic.ring).looked_up)
            if self.stands(tx):
                self.state(tx).must_be(begun, self.schema)
                return
            register(tx, logic.model, logic.policy, now)
            tx.connection.execute(composed.SQL("CREATE SCHEMA {}").format(composed.Identifier(self.schema)))
            tx.connection.execute(sql("make_shadow"), prepare=False)  # many statements in one
            tx.run("begin_replay", _row(begun, now))
            tx.run("copy_constraints")

    def state(self, tx: Transaction) -> Begun:
        """What it was begun with, locked: one process at a time goes on with it. Raises NotFound; Conflict
        where the keys were rotated since."""
        from_time, model, policy, region, key_version, _ = self._read(tx)
        now = stored_versions(tx).looked_up
        if now not in (None, key_version):
            raise Conflict(
                f"shadow {self.schema} was hashed under version {key_version} of the keys, and records are found by "
                f"version {now} since: remove it (`replay --drop`) and build anew"
            )
        return Begun(from_time, model, policy, region, key_version)

    def is_built(self, tx: Transaction) -> bool:
        """Whether every event was decided in it once. Raises NotFound."""
        return self._read(tx)[5] is not None

    def _read(self, tx: Transaction) -> TupleRow:
        row = tx.row("read_replay") if self.stands(tx) else None
        if row is None:
            raise NotFound(f"no shadow {self.schema}: build it first with `retail-brain replay --from TIME`")
        return row

    def drop(self, tx: Transaction) -> None:
        """Remove it with all that is in it. Raises NotFound, Conflict."""
        if not self.stands(tx):
            raise NotFound(f"no shadow {self.schema}")
        tx.connection.execute(composed.SQL("DROP SCHEMA {} CASCADE").format(composed.Identifier(self.schema)))


def _row(begun: Begun, now: datetime) -> dict[str, object]:
    return {
        "now": now,
        "from_time": begun.from_time,
        "model": begun.model,
        "policy": begun.policy,
        "region": begun.region,
        "key_version": begun.key_version,
    }
