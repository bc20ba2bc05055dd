"""Newline-delimited JSON, line by line as it comes: no more than a line is held that is not whole yet."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

NDJSON = "application/x-ndjson"
TOO_LONG = b"\x00"
"""Instead of a line that is longer than allowed. No JSON begins so."""


async def lines(parts: AsyncIterable[bytes], most_bytes: int) -> AsyncIterator[bytes]:
    """The lines of a text that comes in parts, without those that are blank; a longer one comes as TOO_LONG."""
    held = b""
    skipping = False
    async for part in parts:
        *whole, held = (held + part).split(b"\n")
        for line in whole:
            if found := TOO_LONG if skipping or len(line) > most_bytes else line.strip():
                yield found
            skipping = False
        if len(held) > most_bytes:
            held, skipping = b"", True
    if found := TOO_LONG if skipping else held.strip():
        yield found
