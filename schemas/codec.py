"""Messages as bytes: Confluent framing (magic byte 0, 4-byte big-endian schema id, Avro body).

On events.raw a message may also be plain JSON of the HTTP shape; it starts with `{`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, cast

import fastavro
import orjson
from fastavro.read import SchemaResolutionError

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.events import Limits, parse_event, to_raw
from pipeline.field_errors import InvalidEvent
from pipeline.settings import Settings
from schemas.catalog import Schema, catalog
from schemas.compiled import Encoded
from schemas.reader import Reader, reader_of
from schemas.registry import Registry
from schemas.topics import topics
from schemas.writer import Writer, sized, writer_of

RAW_TOPIC = "events.raw"
_HEADER = struct.Struct(">bI")
_MAX_WRITERS = 4_096


@dataclass(frozen=True, slots=True)
class _Contract:
    schema: Schema
    header: bytes
    write: Writer
    readers: dict[tuple[str, ...], Reader]

    def read(self, kept: tuple[str, ...]) -> Reader:
        """The reader that leaves the fields `kept` alone."""
        if kept not in self.readers:
            self.readers[kept] = reader_of(self.schema.parsed, kept)
        return self.readers[kept]


class _Field(NamedTuple):
    write: Writer
    read: Reader


class Codec:
    """Encodes with a topic's current schema, decodes what any known version of it wrote.

    `ids` gives the id of each schema version; `fetch` finds the schema of an id that is in no file of ours.
    Topics are named without the tenant's prefix. Made by `load_codec`.
    """

    def __init__(
        self,
        ids: Mapping[tuple[str, int], int],
        limits: Limits,
        clock: Callable[[], datetime],
        fetch: Callable[[int], dict[str, object] | None] = lambda _: None,
    ) -> None:
        self.ids = ids
        self._limits = limits
        self._clock = clock
        self._fetch = fetch
        self._contracts: dict[str, _Contract] = {}
        self._writers: dict[int, dict[str, object]] = {}
        self._fields: dict[tuple[str, str], _Field] = {}
        for name, versions in catalog().items():
            for schema in versions:
                self._writers[ids[name, schema.version]] = schema.parsed
            header = _HEADER.pack(0, ids[name, versions[-1].version])
            for topic in topics().values():
                if topic.schema == name:
                    write = writer_of(versions[-1].parsed)
                    self._contracts[topic.name] = _Contract(versions[-1], header, write, {})

    def encode(self, topic: str, value: Mapping[str, object]) -> bytes:
        """The framed message; fields may be `Encoded`. Raises BadMessage (SCHEMA_VIOLATION) where it does not fit."""
        contract = self._contracts[topic]
        return _written(contract.write, value, contract.header, contract.schema.name)

    def decode(self, topic: str, data: bytes, kept: tuple[str, ...] = ()) -> dict[str, object]:
        """The message as a dict of the topic's current schema; timestamps are aware datetimes.

        The fields `kept`, arrays or maps (`field`, or `record.field`), come as `Encoded` and are checked by
        `decode_field` only.

        Raises BadMessage: UNDECODABLE, UNKNOWN_SCHEMA, SCHEMA_VIOLATION, and for JSON on events.raw also
        MISSING_FIELD, TOO_LONG, TOO_MANY_IDENTIFIERS, PAYLOAD_TOO_LARGE. Raises RegistryUnavailable where an
        unknown id cannot be looked up. An empty `event_id`: JSON without one, its position names it.
        """
        if data[:1] == b"{" and topic == RAW_TOPIC:
            return self._keeping(topic, self._decode_json(data), kept)
        if len(data) < _HEADER.size or data[0] != 0:
            raise BadMessage(ReasonCode.UNDECODABLE, "neither Confluent-framed Avro nor a JSON object")
        contract = self._contracts[topic]
        reader = contract.schema
        schema_id = int.from_bytes(data[1:5], "big")
        writer = self._writer(schema_id)
        if writer is reader.parsed:
            return cast(dict[str, object], _read(data, _HEADER.size, contract.read(kept)))
        if writer is None:
            raise BadMessage(ReasonCode.UNKNOWN_SCHEMA, f"schema id {schema_id} is not known")
        if writer.get("name") != reader.parsed["name"]:
            raise BadMessage(
                ReasonCode.SCHEMA_VIOLATION, f"schema id {schema_id} is not one of {reader.name}"
            )
        return self._keeping(topic, _resolved(data, writer, reader.parsed), kept)

    def encode_field(self, topic: str, name: str, value: Sized) -> Encoded:
        """An array or map as it stands in a message: for values that come again. Raises BadMessage.

        `name` is a field of the message, or `record.field`.
        """
        return sized(_written(self._field(topic, name).write, value, b"", name), len(value))

    def decode_field(self, topic: str, name: str, encoded: Encoded) -> object:
        """The value of a field that was kept. Raises BadMessage (UNDECODABLE)."""
        return _read(encoded, 0, self._field(topic, name).read)

    def _field(self, topic: str, name: str) -> _Field:
        if (topic, name) not in self._fields:
            schema: object = self._contracts[topic].schema.parsed
            for part in name.split("."):
                schema = _record_of(schema)[part]
            self._fields[topic, name] = _Field(writer_of(schema), reader_of(schema))
        return self._fields[topic, name]

    def _keeping(self, topic: str, value: dict[str, object], kept: Sequence[str]) -> dict[str, object]:
        for name in kept:
            *outer, last = name.split(".")
            holder: object = value
            for part in outer:
                holder = holder.get(part) if isinstance(holder, dict) else None
            if isinstance(holder, dict):
                holder[last] = self.encode_field(topic, name, cast(Sized, holder[last]))
        return value

    def _writer(self, schema_id: int) -> dict[str, object] | None:
        if schema_id not in self._writers:
            found = self._fetch(schema_id)
            if found is None or len(self._writers) >= _MAX_WRITERS:
                return found  # not remembered: an id unknown today may be registered tomorrow
            self._writers[schema_id] = found
        return self._writers[schema_id]

    def _decode_json(self, data: bytes) -> dict[str, object]:
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as exc:
            raise BadMessage(ReasonCode.UNDECODABLE, f"broken JSON at character {exc.pos}") from None
        try:
            event = parse_event(value, self._limits, self._clock())
        except InvalidEvent as exc:
            raise BadMessage(exc.reason, exc.summary) from None
        return to_raw(event, event.event_id, None, None, None)


def _record_of(schema: object) -> dict[str, object]:
    """The types of a record's fields, the record being one of a union or not."""
    branches = schema if isinstance(schema, list) else [schema]
    record = cast(dict[str, list[dict[str, object]]], next(b for b in branches if b != "null"))
    return {str(field["name"]): field["type"] for field in record["fields"]}


def _written(write: Writer, value: object, head: bytes, what: str) -> bytes:
    try:
        return write(value, head)
    except Exception as exc:  # whatever it raises, it is the value that does not fit
        raise BadMessage(ReasonCode.SCHEMA_VIOLATION, f"does not fit {what}: {type(exc).__name__}") from exc


def _read(data: bytes, at: int, read: Reader) -> object:
    try:
        value, end = read(data, at)
    except Exception as exc:  # whatever it raises, it is the bytes that are wrong
        raise BadMessage(ReasonCode.UNDECODABLE, f"no Avro body: {type(exc).__name__}") from exc
    if end != len(data):
        raise BadMessage(
            ReasonCode.UNDECODABLE, "bytes are missing from the Avro body, or left over after it"
        )
    return value


def _resolved(data: bytes, writer: dict[str, object], reader: dict[str, object]) -> dict[str, object]:
    """What another version of the schema wrote, as the reader's version."""
    body = io.BytesIO(data)
    body.seek(_HEADER.size)
    try:
        value = cast(dict[str, object], fastavro.schemaless_reader(body, writer, reader))
    except SchemaResolutionError as exc:
        raise BadMessage(ReasonCode.SCHEMA_VIOLATION, "written with a schema that does not resolve") from exc
    except Exception as exc:  # whatever fastavro raises, it is the bytes that are wrong
        raise BadMessage(ReasonCode.UNDECODABLE, f"no Avro body: {type(exc).__name__}") from exc
    if body.tell() != len(data):
        raise BadMessage(ReasonCode.UNDECODABLE, "bytes are left over after the Avro body")
    return value


def load_codec(settings: Settings) -> Codec:
    """The codec of this deployment: ids of the schema registry if one is set, else derived ids.

    Raises RegistryUnavailable, and ConfigurationError where the registry refuses a schema.
    """
    limits = Limits.of(settings)

    def clock() -> datetime:
        return datetime.now(UTC)

    if settings.schema_registry_url is None:
        ids = {(s.name, s.version): s.schema_id for versions in catalog().values() for s in versions}
        return Codec(ids, limits, clock)
    registry = Registry(settings.schema_registry_url)
    return Codec(register_all(registry, settings.topic_prefix), limits, clock, registry.schema)


def register_all(registry: Registry, prefix: str = "") -> dict[tuple[str, int], int]:
    """Register every version of every topic's schema, oldest first; returns the ids by (schema, version)."""
    return {
        (schema.name, schema.version): registry.register(prefix + topic.subject, schema.text)
        for topic in topics().values()
        for schema in catalog()[topic.schema]
    }
