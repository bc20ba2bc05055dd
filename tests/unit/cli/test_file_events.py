"""Rows of a mapped file as events, and the sheet of rejects."""

from __future__ import annotations

import json
from pathlib import Path

from cli.file_events import Rejects, file_event
from pipeline.events import event_uuid
from pipeline.mapping import RawRecord


def row(**changes: object) -> RawRecord:
    values: dict[str, object] = {
        "line": 2,
        "record_id": "r-1",
        "source": "crm",
        "event_type": "record",
        "occurred_at": None,
        "identifiers": {"email": ("a@example.com",)},
        "traits": {"first_name": "Ann"},
        "payload": {},
    }
    return RawRecord(**{**values, **changes})  # type: ignore[arg-type]


def test_the_event_id_is_made_of_source_and_record_id() -> None:
    assert file_event(row(), "").event_id == event_uuid("crm", "r-1") == file_event(row(line=9), "").event_id
    assert file_event(row(source="pos"), "").event_id != file_event(row(), "").event_id


def test_order_fields_become_one_item() -> None:
    payload = file_event(
        row(payload={"sku": "a-1", "quantity": "2", "price": "3.50", "category": "tea", "store": "s1"}), ""
    ).event["payload"]
    assert payload == {
        "record_id": "r-1",
        "store": "s1",
        "items": [{"sku": "a-1", "quantity": "2", "price": "3.50", "category": "tea"}],
    }


def test_the_region_is_the_country_of_rows_that_name_none() -> None:
    assert file_event(row(), "AU").event["traits"] == {"first_name": "Ann", "country": "AU"}
    assert file_event(row(traits={"country": "NZ"}), "AU").event["traits"] == {"country": "NZ"}


def test_rejects_are_written_only_where_there_are_some(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    path.write_text("of an earlier run\n")
    with Rejects(path):
        pass
    assert not path.exists()
    with Rejects(path) as sheet:
        sheet.add(3, "r-3", "VALIDATION_ERROR", "traits.first_name: too long")
    assert json.loads(path.read_text()) == {
        "line": 3, "record_id": "r-3", "reason": "VALIDATION_ERROR", "detail": "traits.first_name: too long",
    }  # fmt: skip
