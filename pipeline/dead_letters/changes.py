"""A mend of a message: fields set or taken away by their paths, or the whole event anew. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import cast

from pipeline.dead_letters.content import Fields
from pipeline.dead_letters.names import shown_path
from pipeline.errors import BadInput

_LONGEST_PATH = 500


@dataclass(frozen=True, slots=True)
class Changes:
    """`put` and `taken` are paths with dots (`identifiers.phone`, `payload.items.0.sku`); or `event` is the whole."""

    put: Mapping[str, object] = field(default_factory=dict, repr=False)
    taken: Sequence[str] = ()
    event: Mapping[str, object] | None = field(default=None, repr=False)

    @property
    def names(self) -> list[str]:
        """The changed fields, without what a source made up; `event` is all of them."""
        paths = ["event"] if self.event is not None else [*self.taken, *self.put]
        return sorted({shown_path(path) for path in paths})


def changed(fields: Fields | None, changes: Changes) -> Fields:
    """The event after the changes; `fields` is left as it is. Raises BadInput naming the path."""
    if changes.event is not None:
        if changes.put or changes.taken:
            raise BadInput("event", "send either the whole event, or fields to set and unset")
        return dict(changes.event)
    if not changes.put and not changes.taken:
        raise BadInput("set", "name a field to set or unset, or send the whole event")
    if fields is None:
        raise BadInput(
            "event", "the message cannot be read, so no field of it can be mended: send the whole event"
        )
    found = deepcopy(fields)
    for path in changes.taken:
        _take(found, path)
    for path, value in changes.put.items():
        _put(found, path, value)
    return found


def _parts(path: str) -> list[str]:
    parts = path.split(".")
    if not all(parts) or len(path) > _LONGEST_PATH:
        raise BadInput(shown_path(path), "name a field as a path with dots, such as identifiers.phone")
    return parts


def _take(fields: Fields, path: str) -> None:
    *outer, last = _parts(path)
    holder: object = fields
    for part in outer:
        holder = _inner(holder, part)
    if isinstance(holder, dict) and last in holder:
        del holder[last]
    elif isinstance(holder, list) and _index(last, len(holder)) is not None:
        del holder[int(last)]
    else:
        raise BadInput(shown_path(path), "there is no such field to unset")


def _put(fields: Fields, path: str, value: object) -> None:
    *outer, last = _parts(path)
    holder: object = fields
    for part in outer:
        inner = _inner(holder, part)
        if inner is None and isinstance(holder, dict):
            inner = holder[part] = {}
        holder = inner
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and _index(last, len(holder) + 1) is not None:
        holder[int(last) : int(last) + 1] = [value]
    else:
        raise BadInput(shown_path(path), "what is there holds no fields: set it as a whole")


def _inner(holder: object, part: str) -> object:
    if isinstance(holder, dict):
        return cast(object, holder.get(part))
    if isinstance(holder, list) and (at := _index(part, len(holder))) is not None:
        return cast(object, holder[at])
    return None


def _index(part: str, size: int) -> int | None:
    """The place in a list of this size that a path names."""
    return int(part) if part.isascii() and part.isdigit() and len(part) < 10 and int(part) < size else None
