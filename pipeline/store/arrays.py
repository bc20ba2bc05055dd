"""Lists as Postgres array literals, several times faster than the driver's own dumper, which quotes item by item."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from psycopg.adapt import Dumper


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_LITERALS: dict[type, Callable[..., str]] = {
    UUID: lambda u: f"{u.int:032x}",
    int: str,
    float: repr,
    datetime: datetime.isoformat,
    str: _quoted,
    bytes: lambda b: f'"\\\\x{b.hex()}"',
    bool: lambda b: "t" if b else "f",
}


def array_literal(items: list[object]) -> str:
    """`{...}` of one type of item or None. Raises TypeError for a type of item that is not declared here."""
    kinds = {type(item) for item in items} - {type(None)}
    if not kinds:
        return "{" + ",".join(["NULL"] * len(items)) + "}"
    kind = kinds.pop()
    literal = next((_LITERALS[base] for base in kind.__mro__ if base in _LITERALS), None)
    if kinds or literal is None:
        raise TypeError(f"no array of {kind.__name__}")
    return "{" + ",".join(["NULL" if item is None else literal(item) for item in items]) + "}"


class ArrayDumper(Dumper):
    """Sends a list as text of no stated type: the query casts it (`%s::uuid[]`)."""

    def dump(self, obj: list[object]) -> bytes:
        """The literal as UTF-8."""
        return array_literal(obj).encode()
