"""What a steward had read when acting: nobody changes what somebody else changed meanwhile without having seen it."""

from __future__ import annotations

from pipeline.errors import PreconditionFailed

Seen = frozenset[str] | None
"""The entity tags of what was read, quotes included; any of them will do. None: it does not matter what was."""


def must_be_as_seen(what: str, etag: str, seen: Seen) -> None:
    """Raises PreconditionFailed where what is to be changed, of this entity tag, is not what was seen."""
    if seen is not None and etag not in seen:
        raise PreconditionFailed(
            f"{what} is not as it was when you read it: read it again, then act on what it is now"
        )
