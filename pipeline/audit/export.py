"""The audit log as a file that can be checked without the database.

A line says what the file holds, then comes a line an entry, and a last one that signs all bytes before it. Each is
canonical JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from pipeline.audit.chain import GENESIS, Link, canonical
from pipeline.audit.signing import Head, PublicKeys, Signer, decoded, encoded, signed_by
from pipeline.errors import BadInput, NotFound
from pipeline.store.audit import StoredChain, last_head
from pipeline.store.database import Database, Transaction

FORMAT = 1
_STATEMENT = b"retail-brain audit export "


@dataclass(frozen=True, slots=True)
class Opening:
    """The first line: when it was exported, what stands before the first entry, and the head that the file reaches."""

    exported_at: str
    after: int
    previous: bytes
    head: Head

    def line(self) -> bytes:
        """As it stands in the file."""
        told = {"format": FORMAT, "exported_at": self.exported_at, "after": self.after}
        return canonical({**told, "previous": self.previous.hex(), "head": str(self.head)}) + b"\n"

    @classmethod
    def of(cls, line: Mapping[str, object]) -> Opening:
        """What a line says. Raises ValueError, KeyError, BadInput where it is none."""
        if line["format"] != FORMAT:
            raise ValueError(f"format {line['format']}; this version of the program reads {FORMAT}")
        previous, head = bytes.fromhex(str(line["previous"])), Head.parse(str(line["head"]))
        at = str(line["exported_at"])
        if datetime.fromisoformat(at).tzinfo is None:
            raise ValueError(f"{at} is no time")
        return cls(at, int(str(line["after"])), previous, head)


@dataclass(frozen=True, slots=True)
class Closing:
    """The last line: the SHA-256 of all before it, signed."""

    digest: bytes
    version: int
    signature: bytes

    @classmethod
    def made(cls, digest: bytes, signer: Signer) -> Closing:
        """The last line behind bytes of this digest."""
        return cls(digest, signer.version, signer.sign(_STATEMENT + digest))

    def is_signed(self, keys: PublicKeys) -> bool:
        """Whether the key of its version signed it."""
        return signed_by(keys, self.version, self.signature, _STATEMENT + self.digest)

    def line(self) -> bytes:
        """As it stands in the file."""
        signature = encoded(self.signature)
        return (
            canonical({"sha256": self.digest.hex(), "version": self.version, "signature": signature}) + b"\n"
        )

    @classmethod
    def of(cls, line: Mapping[str, object]) -> Closing:
        """What a line says. Raises ValueError, KeyError where it is none."""
        return cls(
            bytes.fromhex(str(line["sha256"])), int(str(line["version"])), decoded(str(line["signature"]))
        )


def line_of(link: Link) -> bytes:
    """An entry as it stands in the file. Of one that is gone its id is all that is left: such a file does not hold."""
    told: dict[str, object] = {
        "seq": link.seq,
        "previous": link.previous.hex(),
        "hash": link.hash.hex(),
        "entry": link.entry or {"entry_id": link.entry_id},
    }
    return canonical(told if link.head is None else {**told, "head": str(link.head)}) + b"\n"


def export(
    database: Database, signer: Signer, out: IO[bytes], now: datetime, after: int = 0
) -> tuple[int, Head]:
    """Write the chain behind `after` as it stands now; how many entries, and its head. Memory holds some of them.

    Raises NotFound where nothing is chained behind `after`, BadInput where its end is not signed, StoreUnavailable.
    """
    digest, count = hashlib.sha256(), 0

    def put(line: bytes) -> None:
        digest.update(line)
        out.write(line)

    with database.snapshot() as tx:
        head, previous = _ends(tx, after)
        put(Opening(now.astimezone(UTC).isoformat(timespec="microseconds"), after, previous, head).line())
        for link in StoredChain(tx, after).links():
            put(line_of(link))
            count += 1
    out.write(Closing.made(digest.digest(), signer).line())
    return count, head


def _ends(tx: Transaction, after: int) -> tuple[Head, bytes]:
    """The head that an export reaches, and the hash that it begins behind."""
    end = last_head(tx)
    before = tx.row("chained_place", (after,)) if after else (GENESIS,)
    if end is None or end[0] <= after or before is None:
        raise NotFound(
            f"nothing is chained behind {after}; `retail-brain audit verify` says what waits, or is wrong"
        )
    if end[2] is None:
        raise BadInput(
            "audit log", "its end is not signed: it was cut off; `retail-brain audit verify` says where"
        )
    return end[2], before[0]
