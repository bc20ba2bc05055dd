"""The audit log in Postgres: entries written with what they tell of, and the chain as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import orjson
from psycopg.rows import TupleRow

from pipeline.audit.asked import AskedEntries
from pipeline.audit.chain import Document, Link
from pipeline.audit.entry import AuditEntry
from pipeline.audit.signing import Head
from pipeline.store.database import Transaction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS = (
    "actor",
    "action",
    "profiles",
    "objects",
    "reason",
    "request_id",
    "api_key",
    "api_key_id",
    "details",
)
_COLUMNS = ("entry_id", "at", *_FIELDS, "seq", "hash")


def write_audit(tx: Transaction, *entries: AuditEntry) -> None:
    """Write entries into the audit log: they stand if, and only if, what else the transaction does does."""
    if entries:
        tx.run("insert_audit_entries", (as_json(entries),))


def as_json(entries: Iterable[AuditEntry]) -> str:
    """Entries as the query `insert_audit_entries` takes them."""
    return orjson.dumps([_row(one) for one in entries]).decode()


def _row(entry: AuditEntry) -> Mapping[str, object]:
    occasion = entry.occasion
    return {
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "profiles": [str(p) for p in sorted(set(entry.profiles))],
        "objects": list(dict.fromkeys(entry.objects)),
        "reason": entry.reason,
        "request_id": occasion.request_id,
        "api_key": occasion.api_key,
        "api_key_id": occasion.api_key_id,
        "details": {**entry.details, **({"in_bulk": True} if occasion.in_bulk else {})},
    }


def document(entry_id: int, row: TupleRow) -> Document | None:
    """An entry as it is hashed and exported, from its time in microseconds and its `_FIELDS`, details as text; None
    where that is no entry."""
    at, *rest = row
    if at is None:
        return None
    fields = dict(zip(_FIELDS, rest, strict=True))
    fields["profiles"] = [str(profile) for profile in fields["profiles"]]
    try:
        fields["details"] = orjson.loads(fields["details"])
    except orjson.JSONDecodeError:  # nested deeper than anything of ours
        return None
    return {"entry_id": entry_id, "at": _time(at), **fields}


def _time(microseconds: int) -> str:
    try:
        at = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{microseconds} us"
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def head_of(seq: int, hash_: bytes, row: TupleRow) -> Head | None:
    """The head at a place from (signed_at, key_version, signature); None where it is not signed."""
    signed_at, version, signature = row
    return None if signature is None else Head(seq, hash_, signed_at or 0, version or 0, signature)


class StoredChain:
    """The chain behind a place, in a transaction that reads one moment."""

    def __init__(self, tx: Transaction, after: int = 0) -> None:
        self._tx, self._after = tx, after
        self._read = 0

    def links(self) -> Iterator[Link]:
        """See `Links`."""
        self._read += 1  # the cursor of another reading may be open
        for row in self._tx.stream("audit_links", {"after": self._after}, cursor=f"links_{self._read}"):
            seq, entry_id, previous, hash_ = row[:4]
            yield Link(
                seq, entry_id, previous, hash_, document(entry_id, row[7:]), head_of(seq, hash_, row[4:7])
            )


def last_head(tx: Transaction) -> tuple[int, bytes, Head | None] | None:
    """The last place of the chain, its hash, and its head; None where nothing is chained."""
    row = tx.row("audit_head")
    return None if row is None else (row[0], row[1], head_of(row[0], row[1], row[2:]))


def read_entries(tx: Transaction, asked: AskedEntries, limit: int) -> list[Mapping[str, object]]:
    """The newest entries that are asked for, each with its place in the chain. Raises BadInput."""
    rows = tx.rows("read_audit", {**asked.parameters(), "before_at": None, "before": None, "limit": limit})
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
