"""A dead letter's message as it may be seen: what may be personal is masked, keys that a source made up as well.

The values are as they came, so that a field holds what its name promises only where its form says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from pipeline.dead_letters.content import Content, Fields
from pipeline.dead_letters.names import distinct
from pipeline.event_fields import MAX_DEPTH
from pipeline.privacy.mask import masked
from schemas.codec import RAW_TOPIC

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(r"[A-Za-z0-9._:/=-]{1,128}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][0-9:.+Z-]{5,21}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"-?[0-9]{1,7}(\.[0-9]{1,4})?")  # shorter than any phone number
_PRODUCT = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_OPEN: Mapping[str, re.Pattern[str]] = {
    "source": _NAME,
    "event_type": _NAME,
    "occurred_at": _TIME,
    "accepted_at": _TIME,
    "request_id": _TRACE,
    "correlation_id": _TRACE,
    "event_id": _UUID,
}
_OPEN_OF_PAYLOAD: Mapping[str, re.Pattern[str]] = {
    "channel": _NAME,
    "store": _NAME,
    "currency": re.compile(r"[A-Za-z]{3}"),
    "sku": _PRODUCT,
    "amount": _NUMBER,
    "price": _NUMBER,
    "quantity": _NUMBER,
}
_OPEN_OF_CONSENT: Mapping[str, re.Pattern[str]] = {
    "purpose": _NAME,
    "state": re.compile("granted|withdrawn"),
    "at": _TIME,
}
_FORMS = ("phone", "email", "whatsapp")
_WORD = re.compile(r"[^\W_]+")
_MOST, _LOOK_BYTES = 50, 300
_KNOWN = frozenset(
    (
        *_OPEN,
        *_OPEN_OF_PAYLOAD,
        "identifiers",
        "traits",
        "payload",
        "consent",
        "items",
        "phone",
        "email",
        "true",
        "false",
        "null",
    )
)


def shown(topic: str, content: Content) -> Fields | None:
    """The fields of a message, masked; None where they cannot be read."""
    if content.fields is None:
        return None
    if topic != RAW_TOPIC:  # no other topic of ours holds plaintext
        return cast(Fields, _plain(content.fields))
    some = list(content.fields.items())[:_MOST]
    names = distinct(name for name, _ in some)
    return {seen: _of_event(name, value) for seen, (name, value) in zip(names, some, strict=True)}


def look(value: bytes) -> str:
    """The beginning of a message that cannot be read: escaped, and of each word but known ones the first letter."""
    text = value[:_LOOK_BYTES].decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    hidden = _WORD.sub(lambda w: w.group() if w.group() in _KNOWN else f"{w.group()[0]}***", text)
    return hidden + ("…" if len(value) > _LOOK_BYTES else "")


def _of_event(name: str, value: object) -> object:
    if isinstance(value, str) and name in _OPEN and _OPEN[name].fullmatch(value):
        return value
    within = {"payload": _OPEN_OF_PAYLOAD, "consent": _OPEN_OF_CONSENT}
    return _hidden(value, name, within.get(name, {}), MAX_DEPTH)


def _hidden(value: object, name: str, open_: Mapping[str, re.Pattern[str]], depth: int) -> object:
    match value:
        case None | bool():
            return value
        case dict() | list() if not depth:
            return "…"
        case dict():
            some = [(str(key), inner) for key, inner in list(value.items())[:_MOST]]
            names = distinct(key for key, _ in some)
            return {
                seen: _hidden(inner, key, open_, depth - 1)
                for seen, (key, inner) in zip(names, some, strict=True)
            }
        case list():
            return [_hidden(inner, name, open_, depth - 1) for inner in value[:_MOST]]
        case _:
            text = str(value)
            if name in open_ and open_[name].fullmatch(text):
                return value
            return _masked(name, text)


def _masked(name: str, text: str) -> str:
    if name.endswith("_id") or name in _FORMS:
        return masked("phone" if name == "whatsapp" else name, text)
    return masked("", text)


def _plain(value: object) -> object:
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value[:_MOST]]
        case datetime():
            return value.isoformat()
        case bytes():
            return value.hex() if len(value) <= 32 else f"{len(value)} bytes"
        case _:
            return value
