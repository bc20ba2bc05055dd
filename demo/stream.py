"""Reads the committed demo stream and its truth."""

from __future__ import annotations

import csv
import gzip
import json
from functools import lru_cache
from pathlib import Path
from typing import cast

from pipeline.identity.ids import Id

Event = dict[str, object]
_FOLDER = Path(__file__).parent


@lru_cache(maxsize=1)
def events() -> tuple[Event, ...]:
    """All events, in the order of `occurred_at`, in the shape of `POST /v1/events`."""
    with gzip.open(_FOLDER / "stream.jsonl.gz", "rt", encoding="utf-8") as file:
        return tuple(json.loads(line) for line in file)


@lru_cache(maxsize=1)
def truth() -> dict[str, str]:
    """The person each record is of: for measuring only."""
    with gzip.open(_FOLDER / "truth.csv.gz", "rt", encoding="utf-8") as file:
        return {row["record_id"]: row["person_id"] for row in csv.DictReader(file)}


@lru_cache(maxsize=1)
def records() -> dict[str, Event]:
    """An event of each record, by the record's id: what its source knows of the person."""
    return {record_id_of(event): event for event in events()}


def event_ids() -> list[Id]:
    """The ids of all events, in order."""
    return [Id.parse(str(event["event_id"])) for event in events()]


def record_id_of(event: Event) -> str:
    """The source's own id of the record that the event carries."""
    return str(cast(Event, event["payload"])["record_id"])
