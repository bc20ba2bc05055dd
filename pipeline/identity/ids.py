"""Ids: the 16 bytes of a UUID (RFC 9562)."""

from __future__ import annotations

from typing import Self


class Id(bytes):
    """The id of a record, a profile, an event, ...: 16 bytes that read as a UUID.

    Instead of `uuid.UUID`, whose hash, comparison, parsing and text are Python: a record's id is hashed up to some
    hundred times on its way through resolve, and those of `bytes` are C. `Id(data)` takes the bytes as they are.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The id in a UUID's text: 32 hexadecimal digits in groups of 8-4-4-4-12. Raises ValueError."""
        data = bytes.fromhex(text.replace("-", ""))
        # 36 characters with all four dashes in place and 32 digits hold nothing else: `fromhex` skips white space
        if len(data) != 16 or len(text) != 36 or not text[8] == text[13] == text[18] == text[23] == "-":
            raise ValueError("an id has to be a UUID, such as 0192e6a1-7b2c-7def-8123-456789abcdef")
        return cls(data)

    def __str__(self) -> str:
        """The UUID in its canonical form."""
        text = self.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def __repr__(self) -> str:
        return f"Id({str(self)!r})"
