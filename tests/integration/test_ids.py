"""Ids are uuid in Postgres, whatever way they take."""

from __future__ import annotations

import pytest

from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.store.database import Database

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("binary", [True, False])
def test_an_id_arrives_as_it_was_sent(database: str, binary: bool) -> None:
    own = new_id()
    with Database(database, "test") as store, store.transaction() as tx:
        row = tx.connection.execute(
            "SELECT %s, pg_typeof(%s)::text, %s::text, ARRAY[%s, NULL]", [own] * 4, binary=binary
        ).fetchone()
    assert row == (own, "uuid", str(own), [own, None])
    assert type(row[0]) is type(row[3][0]) is Id


def test_an_id_is_copied(database: str) -> None:
    own = new_id()
    with Database(database, "test") as store, store.transaction() as tx:
        tx.copy("copy_data_keys", ("uuid", "bytea", "int2"), [(own, b"wrapped", 1)])
        assert tx.rows("data_keys", ([own],)) == [(own, b"wrapped", 1)]
