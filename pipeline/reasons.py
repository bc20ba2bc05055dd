"""Why somebody decides: kept with every decision, for those who ask later."""

from __future__ import annotations

from pipeline.errors import BadInput


def must_say_why(reason: str) -> None:
    """Raises BadInput where a reason says nothing: it is empty, or spaces and control characters alone."""
    if not any(letter.isprintable() and not letter.isspace() for letter in reason):
        raise BadInput("reason", "it is blank; say why, for those who ask later")
