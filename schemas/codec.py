"""Messages as bytes: Confluent framing (magic byte 0, 4-byte big-endian schema id, Avro body).

On events.raw a message may also be plain JSON of the HTTP shape; it starts with `{`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import fastavro
import orjson
from fastavro.read import SchemaResolutionError

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.events import Limits, parse_event, to_raw
from pipeline.field_errors import InvalidEvent
from pipeline.settings import Settings
from schemas.catalog import Schema, catalog
from schemas.registry import Registry
from schemas.topics import topics

RAW_TOPIC = "events.raw"
_HEADER = struct.Struct(">bI")
_MAX_WRITERS = 4_096


HASHED_RECORD, ORDER = "com.retailbrain.HashedRecord", "com.retailbrain.Order"


def as_branch(record: str, value: object) -> object:
    """A value of a union (null, record) with its branch named: the writer need not try the value on every branch."""
    return None if value is None else (record, value)


@dataclass(frozen=True, slots=True)
class _Contract:
    schema: Schema
    header: bytes


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
        for name, versions in catalog().items():
            for schema in versions:
                self._writers[ids[name, schema.version]] = schema.parsed
            header = _HEADER.pack(0, ids[name, versions[-1].version])
            for topic in topics().values():
                if topic.schema == name:
                    self._contracts[topic.name] = _Contract(versions[-1], header)

    def encode(self, topic: str, value: Mapping[str, object]) -> bytes:
        """The framed message. Raises BadMessage (SCHEMA_VIOLATION) where the value does not fit."""
        contract = self._contracts[topic]
        out = io.BytesIO()
        out.write(contract.header)
        try:
            fastavro.schemaless_writer(out, contract.schema.parsed, value, strict_allow_default=True)
        except Exception as exc:  # whatever fastavro raises, it is the value that does not fit
            detail = f"does not fit {contract.schema.name}: {type(exc).__name__}"
            raise BadMessage(ReasonCode.SCHEMA_VIOLATION, detail) from exc
        return out.getvalue()

    def decode(self, topic: str, data: bytes) -> dict[str, object]:
        """The message as a dict of the topic's current schema; timestamps are aware datetimes.

        Raises BadMessage: UNDECODABLE, UNKNOWN_SCHEMA, SCHEMA_VIOLATION, and for JSON on events.raw also
        MISSING_FIELD, TOO_LONG, TOO_MANY_IDENTIFIERS, PAYLOAD_TOO_LARGE. Raises RegistryUnavailable where an
        unknown id cannot be looked up. An empty `event_id`: JSON without one, its position names it.
        """
        if data[:1] == b"{" and topic == RAW_TOPIC:
            return self._decode_json(data)
        if len(data) < _HEADER.size or data[0] != 0:
            raise BadMessage(ReasonCode.UNDECODABLE, "neither Confluent-framed Avro nor a JSON object")
        reader = self._contracts[topic].schema
        schema_id = int.from_bytes(data[1:5], "big")
        writer = self._writer(schema_id)
        if writer is None:
            raise BadMessage(ReasonCode.UNKNOWN_SCHEMA, f"schema id {schema_id} is not known")
        if writer.get("name") != reader.parsed["name"]:
            raise BadMessage(
                ReasonCode.SCHEMA_VIOLATION, f"schema id {schema_id} is not one of {reader.name}"
            )
        return _read(data, writer, None if writer is reader.parsed else reader.parsed)

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
        raw = to_raw(event, None, None, None, None)
        raw["event_id"] = event.event_id or ""
        return raw


def _read(data: bytes, writer: dict[str, object], reader: dict[str, object] | None) -> dict[str, object]:
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
