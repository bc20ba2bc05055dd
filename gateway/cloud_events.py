"""CloudEvents 1.0 (JSON format, HTTP binding) as the events we take.

    id, source     name the event: both sent again are the same event, whatever form the id has
    source         what `data.source` says, else the last part of its path: "/shops/7/pos" is the source pos
    type, time     event_type and occurred_at
    data           {identifiers, traits, payload, consent}, as in an event of ours
    correlationid  an extension of ours: correlation_id

Other attributes are allowed, and left aside. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from pipeline.codes import ReasonCode
from pipeline.events import event_uuid
from pipeline.field_errors import FieldError, InvalidEvent, came

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
_PREFIX = "ce-"
_DATA = ("source", "identifiers", "traits", "payload", "consent")
_JSON = ("application/json", "text/json")


def from_headers(headers: Mapping[str, str], data: object) -> dict[str, object]:
    """The event of a request in binary mode: attributes in `ce-` headers, percent-encoded, and data as its body."""
    found: dict[str, object] = {
        name.removeprefix(_PREFIX): unquote(value)
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    return {**found, "data": data}


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether a request carries an event in binary mode."""
    return _PREFIX + "specversion" in headers


def from_cloud_event(value: object) -> dict[str, object]:
    """An event as a caller of ours would send it. Raises InvalidEvent, naming the attribute."""
    if not isinstance(value, dict):
        raise _invalid("event", f"got {came(value)}", "send a CloudEvent as a JSON object")
    if value.get("specversion") != "1.0":
        raise _invalid("specversion", "not a version that is read", 'send "1.0"')
    given = {name: _text(value, name) for name in ("id", "source", "type")}
    data = _data(value)
    found: dict[str, object] = {
        "source": _last_part(given["source"]) if data.get("source") is None else data["source"],
        "event_type": given["type"],
        "event_id": str(event_uuid("cloud event", f"{given['source']}\x1f{given['id']}")),
        "occurred_at": value.get("time"),
        "correlation_id": value.get("correlationid"),
    }
    return {**found, **{name: item for name, item in data.items() if name != "source"}}


def _text(event: Mapping[str, object], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise _invalid(name, "missing" if value is None else f"got {came(value)}", "send text")
    return value


def _data(event: Mapping[str, object]) -> Mapping[str, object]:
    kind = event.get("datacontenttype")
    if "data_base64" in event or (kind is not None and not _is_json(kind)):
        raise _invalid("data", "not JSON", "send data as a JSON object, datacontenttype application/json")
    data = event.get("data")
    if not isinstance(data, dict):
        raise _invalid(
            "data", f"got {came(data)}", "send an object of identifiers, traits, payload and consent"
        )
    for name in data:
        if name not in _DATA:
            raise _invalid(
                "data.?", "unknown field", f"known are {', '.join(_DATA)}; all else goes to payload"
            )
    return data


def _is_json(kind: object) -> bool:
    media = str(kind).partition(";")[0].strip().lower()
    return media in _JSON or media.endswith("+json")


def _last_part(source: str) -> str:
    """Of a URI reference; of a URN the last part between colons."""
    path = urlsplit(source).path.rstrip("/")
    return path.replace(":", "/").rpartition("/")[2]


def _invalid(field: str, problem: str, mend: str) -> InvalidEvent:
    return InvalidEvent([FieldError(field, problem, mend, ReasonCode.SCHEMA_VIOLATION, field)])
