"""Server-sent events as bytes (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

import orjson

from pipeline.changes.change import Change

RETRY_MS = 1_000


def opened(position: str) -> bytes:
    """The first of a stream: how soon to come again, and from where if nothing comes."""
    return b"retry: %d\n%s" % (RETRY_MS, beat(position))


def beat(position: str) -> bytes:
    """A comment, and the place the stream has come to, without an event: changes that were not wanted lie behind it."""
    return f": beat\nid: {position}\n\n".encode()


def changed(change: Change, position: str) -> bytes:
    """A change, and the position right after it. JSON by orjson has no line breaks."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (position.encode(), change.type.encode(), change.body)


def ended(reason: str, message: str, position: str) -> bytes:
    """Why the stream ends here."""
    data = orjson.dumps({"reason": reason, "message": message})
    return b"id: %s\nevent: feed.ended\ndata: %s\n\n" % (position.encode(), data)
