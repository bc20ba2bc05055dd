"""Anybody's CSV or JSON lines as raw records, by a mapping file. docs/mapping.md describes the file."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple, cast

import orjson

from pipeline.codes import ReasonCode
from pipeline.errors import BadInput, ConfigurationError
from pipeline.identity.consent import ConsentState
from pipeline.mapping_file import Column, Consent, Field, Mapping_, Time, read_mapping

__all__ = ["BadRow", "Mapping_", "RawRecord", "read_mapping", "rows"]

Cell = str | tuple[str, ...]


class Said(NamedTuple):
    """A purpose that the row grants or withdraws; `at` None: when its event happened."""

    purpose: str
    state: ConsentState
    at: datetime | None


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A row as an event: what the gateway would be sent. `line` counts from 1, a header included."""

    line: int
    record_id: str
    source: str
    event_type: str
    occurred_at: datetime | None
    identifiers: Mapping[str, tuple[str, ...]]
    traits: Mapping[str, str]
    payload: Mapping[str, str]
    consent: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no record, and why. `detail` names fields, never values."""

    line: int
    reason: ReasonCode
    detail: str


def _refuse(bad: BadRow) -> None:
    raise BadInput(f"line {bad.line}", bad.detail)


def rows(path: Path, mapping: Mapping_, on_bad: Callable[[BadRow], None] = _refuse) -> Iterator[RawRecord]:
    """The records of a `.csv`, `.tsv`, `.jsonl` or `.ndjson` file, `.gz` or not, in file order, one at a time.

    Each line that is no record goes to `on_bad`; by default the first raises BadInput. Raises ConfigurationError
    where the mapping names a column the file lacks, and BadInput where the file cannot be read at all.
    """
    with _opened(path) as raw:
        lines = _json_rows(raw, on_bad) if _is_json(path) else _csv_rows(path, raw, mapping)
        for number, row in lines:
            try:
                yield _record(number, row, mapping)
            except BadInput as exc:
                on_bad(BadRow(number, ReasonCode.SCHEMA_VIOLATION, str(exc)))


def _suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _is_json(path: Path) -> bool:
    return _suffix(path) in (".jsonl", ".ndjson", ".json")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if not path.is_file():
        raise BadInput(str(path), "no such file")
    try:
        with cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb") as raw:
            yield raw
    except (gzip.BadGzipFile, EOFError) as exc:
        raise BadInput(str(path), f"is no whole gzip file: {exc}") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(str(path), f"is not {exc.encoding}; name its encoding in the mapping") from exc


def _csv_rows(path: Path, raw: IO[bytes], mapping: Mapping_) -> Iterator[tuple[int, Mapping[str, Cell]]]:
    delimiter = mapping.delimiter or ("\t" if _suffix(path) == ".tsv" else ",")
    text = io.TextIOWrapper(raw, encoding=mapping.encoding, newline="")
    reader = csv.reader(text, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, [])]
        if missing := sorted(mapping.columns() - set(header)):
            raise ConfigurationError(
                f"the mapping names columns that {path.name} lacks: {', '.join(missing)}; it has {', '.join(header)}"
            )
        for values in reader:
            if values:
                yield reader.line_num, dict(zip(header, values, strict=False))
    except csv.Error as exc:
        raise BadInput(f"line {reader.line_num}", f"is no CSV: {exc}") from exc


def _json_rows(raw: IO[bytes], on_bad: Callable[[BadRow], None]) -> Iterator[tuple[int, Mapping[str, Cell]]]:
    for number, line in enumerate(raw, start=1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            on_bad(BadRow(number, ReasonCode.UNDECODABLE, "is no JSON"))
            continue
        if isinstance(value, dict):
            yield number, {name: _cell(content) for name, content in value.items()}
        else:
            on_bad(BadRow(number, ReasonCode.SCHEMA_VIOLATION, "is no JSON object"))


def _cell(value: object) -> Cell:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list):
        return tuple(str(v) for v in value if v is not None)
    return orjson.dumps(value).decode()


def _record(line: int, row: Mapping[str, Cell], mapping: Mapping_) -> RawRecord:
    record_id = _one(row, mapping.record_id)
    if not record_id:
        raise BadInput(mapping.record_id, "the record id is empty")
    return RawRecord(
        line=line,
        record_id=record_id,
        source=_field(row, mapping.source) or "file",
        event_type=_field(row, mapping.event_type) or "record",
        occurred_at=_time(row, mapping.event_time),
        identifiers=_identifiers(row, mapping.identifiers),
        traits=_traits(row, mapping.traits),
        payload={name: text for name, column in mapping.payload.items() if (text := _one(row, column))},
        consent=tuple(_consent(row, mapping.consent)),
    )


def _one(row: Mapping[str, Cell], column: str) -> str:
    cell = row.get(column, "")
    return (cell if isinstance(cell, str) else " ".join(cell)).strip()


def _field(row: Mapping[str, Cell], field: Field) -> str:
    return field.constant or (_one(row, field.column) if field.column else "")


def _consent(row: Mapping[str, Cell], wanted: Mapping[str, Consent]) -> Iterator[Said]:
    for purpose, spec in wanted.items():
        text = _one(row, spec.column).casefold()
        for state, words in ((ConsentState.GRANTED, spec.granted), (ConsentState.WITHDRAWN, spec.withdrawn)):
            if text in {word.casefold() for word in words}:
                yield Said(purpose, state, _time(row, spec.at))
                break


def _time(row: Mapping[str, Cell], spec: Time | None) -> datetime | None:
    """A time of the row, UTC where it names no zone; None where the row gives none."""
    text = _one(row, spec.column) if spec else ""
    if not spec or not text:
        return None
    try:
        # a format may name the zone (%z); where it does not, UTC is set below
        found = datetime.strptime(text, spec.format) if spec.format else datetime.fromisoformat(text)  # noqa: DTZ007
    except ValueError as exc:
        form = spec.format or "ISO 8601, or name its format"
        raise BadInput(spec.column, f"the time is not of the form {form}") from exc
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _identifiers(
    row: Mapping[str, Cell], wanted: Mapping[str, Sequence[Column]]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for kind, columns in wanted.items():
        values: list[str] = []
        for column in columns:
            for name in column.columns:
                cell = row.get(name, "")
                for value in (cell,) if isinstance(cell, str) else cell:
                    parts = value.split(column.split) if column.split else (value,)
                    values.extend(p.strip() for p in parts if p.strip())
        if values:
            found[kind] = tuple(dict.fromkeys(values))
    return found


def _traits(row: Mapping[str, Cell], wanted: Mapping[str, Sequence[Column]]) -> dict[str, str]:
    """Each trait from the first of its alternatives that is not blank; national ids from all of them."""
    found: dict[str, str] = {}
    for trait, alternatives in wanted.items():
        texts = []
        for column in alternatives:
            joined = column.separator.join(t for name in column.columns if (t := _one(row, name)))
            if joined:
                texts.append(f"{column.prefix}{joined}")
        if texts:
            found[trait] = "|".join(texts) if trait == "national_id" else texts[0]
    return found
