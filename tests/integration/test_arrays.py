"""Lists as parameters of queries arrive as they were sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum

import pytest

from pipeline.store.database import Database
from tests.support.ids import numbered

pytestmark = pytest.mark.stack


class _Word(StrEnum):
    QUOTED = 'ä "\\{},NULL'


class _Number(IntEnum):
    THREE = 3


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        ("uuid", [numbered(1), None, numbered(2**128 - 1)]),
        ("uuid", [numbered(2), numbered(1)]),
        ("bigint", [-(2**63), None, 2**63 - 1]),
        ("int", [1, _Number.THREE]),
        ("smallint", [-1, None]),
        ("float8", [0.1, None, float("inf")]),
        ("timestamptz", [datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), None]),
        ("timestamptz", [datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=5)))]),
        ("text", ["", None, _Word.QUOTED, "NULL"]),
        ("bytea", [b"", None, b"\0\xff"]),
        ("boolean", [True, None, False]),
        ("text", [None, None]),
        ("uuid", []),
    ],
)
def test_a_list_arrives_as_it_was_sent(database: str, kind: str, items: list[object]) -> None:
    with Database(database, "test") as store, store.transaction() as tx:
        query = f"SELECT %s::{kind}[], %b::{kind}[]"
        row = tx.connection.execute(query, (items, items), binary=True).fetchone()  # type: ignore[arg-type]
    assert row == (items, items)


@pytest.mark.parametrize("items", [[1, "one"], [object()], [[1]], [numbered(1), b"\0" * 16]])
def test_other_lists_are_refused(database: str, items: list[object]) -> None:
    with Database(database, "test") as store, store.transaction() as tx, pytest.raises(TypeError):
        tx.connection.execute("SELECT %s::text[]", (items,))
