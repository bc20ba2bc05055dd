"""One change: a message of an output topic in the JSON that the feed and webhooks give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from pipeline.changes.kinds import ChangeType, type_of
from pipeline.errors import BadMessage
from pipeline.stream.batch import Message
from schemas.codec import Codec

Place = tuple[str, int]
"""A topic of schemas/topics.yaml, without prefix, and one of its partitions."""

_PROFILE_FIELDS = ("profile_id", "source_profile_id", "other_profile_id", "merged_into")
_VERSION_FIELDS = ("version", "profile_version")
_JSON = orjson.OPT_UTC_Z


@dataclass(frozen=True, slots=True)
class Change:
    """What one message tells. `profiles` are those it speaks of; `body` is its JSON:

        {"id", "type", "timestamp", "profile_id", "version", "data"}

    `id` is the same wherever and however often the message is told, `timestamp` the broker's, `data` the message's
    fields (null of one that was erased), `version` that of the profile where the message names one.
    """

    type: ChangeType
    place: Place
    offset: int
    profiles: frozenset[str]
    body: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """See the class."""
        return _id(self.place, self.offset)


def _id(place: Place, offset: int) -> str:
    # without a dot: those stand between the parts of what a webhook signs
    return f"{place[0].replace('.', '-')}-{place[1]}-{offset}"


def read_change(message: Message, codec: Codec, prefix: str) -> Change:
    """The change that a message tells, `unreadable` where it does not decode. Raises RegistryUnavailable."""
    place = (message.topic.removeprefix(prefix), message.partition)
    try:
        value = codec.decode(place[0], message.value) if message.value else None
        kind = type_of(place[0], value)
    except BadMessage as exc:
        return _change(ChangeType.UNREADABLE, place, message, None, {"problem": str(exc.reason)})
    return _change(kind, place, message, value, {})


def _change(
    kind: ChangeType,
    place: Place,
    message: Message,
    value: Mapping[str, object] | None,
    more: Mapping[str, object],
) -> Change:
    profiles = {str(value[name]) for name in _PROFILE_FIELDS if value.get(name)} if value else set()
    key = (message.key or b"").decode("utf-8", "replace")
    if kind is ChangeType.PROFILE_ERASED:
        profiles.add(key)
    version = next((value[name] for name in _VERSION_FIELDS if name in value), None) if value else None
    body = {
        "id": _id(place, message.offset),
        "type": kind,
        "timestamp": message.timestamp,
        "profile_id": value.get("profile_id") if value else key if profiles else None,
        "version": version,
        "data": value,
        **more,
    }
    return Change(kind, place, message.offset, frozenset(profiles), orjson.dumps(body, option=_JSON))
