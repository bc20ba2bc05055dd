"""Rows of a mapped file as events of the gateway, and a sheet of those that were refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

import orjson

from pipeline.events import event_uuid
from pipeline.identity.ids import Id
from pipeline.mapping import RawRecord

_ITEM_FIELDS = ("sku", "quantity", "price", "category")


@dataclass(frozen=True, slots=True)
class FileEvent:
    """A row's event, and where it came from."""

    line: int
    record_id: str
    event_id: Id
    event: Mapping[str, object]


def file_event(row: RawRecord, region: str) -> FileEvent:
    """The event of a row. Its id is made of source and record id, so the same row is the same event.

    `region` becomes the country of rows that name none, so that their phones and postcodes are read by its rules.
    """
    event_id = event_uuid(row.source, row.record_id)
    traits = dict(row.traits)
    if region:
        traits.setdefault("country", region)
    event: dict[str, object] = {
        "source": row.source,
        "event_type": row.event_type,
        "event_id": str(event_id),
        "identifiers": {kind: list(values) for kind, values in row.identifiers.items()},
        "traits": traits,
        "payload": _payload(row),
    }
    if row.consent:
        event["consent"] = [
            {"purpose": s.purpose, "state": s.state, "at": s.at.isoformat() if s.at else None}
            for s in row.consent
        ]
    if row.occurred_at is not None:
        event["occurred_at"] = row.occurred_at.isoformat()
    return FileEvent(row.line, row.record_id, event_id, event)


def _payload(row: RawRecord) -> dict[str, object]:
    """The mapped payload fields; `sku`, `quantity`, `price` and `category` are the one item of an order line."""
    payload: dict[str, object] = {n: v for n, v in row.payload.items() if n not in _ITEM_FIELDS}
    if item := {n: row.payload[n] for n in _ITEM_FIELDS if n in row.payload}:
        payload["items"] = [item]
    payload["record_id"] = row.record_id
    return payload


class Rejects:
    """Lines that did not become events, as JSON lines beside the file; made only when there is one.

    Holds line, record id, reason and detail; a rejects file of an earlier run is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: TextIO | None = None

    def add(self, line: int, record_id: str | None, reason: str, detail: str) -> None:
        """One line more."""
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8")
        entry = {"line": line, "record_id": record_id, "reason": reason, "detail": detail}
        self._file.write(orjson.dumps(entry).decode() + "\n")
        self.count += 1

    def __enter__(self) -> Rejects:
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
