"""Checks an exported audit log: with the file and public keys, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from pipeline.audit.breach import Breach, Finding
from pipeline.audit.chain import Link
from pipeline.audit.checking import Checked, Start, check
from pipeline.audit.export import Closing, Opening, line_of
from pipeline.audit.signing import Head, PublicKeys, must_be_signed
from pipeline.errors import BadInput

_LONGEST = 64 * 2**20
"""Bytes of a line: no entry comes near."""


@dataclass(frozen=True, slots=True)
class FileChecked:
    """What the first line says, and how far the file holds."""

    opening: Opening
    checked: Checked


def verify_file(path: Path, keys: PublicKeys, heads: Sequence[Head] = ()) -> FileChecked:
    """Check a file, and that it goes through those `heads` that were kept of its part of the chain.

    Raises BadInput where it cannot be read or is no export, and for a head that none of the keys signed.
    """
    must_be_signed(heads, keys)
    try:
        with path.open("rb") as file:
            opening = _opening(path, file.readline(_LONGEST))
        checked = _checked(path, opening, keys, heads)
        if checked.finding is None:
            checked = replace(checked, finding=_sign_of_change(path, keys))
    except OSError as exc:
        raise BadInput("file", f"{path} cannot be read: {exc.strerror}") from exc
    return FileChecked(opening, checked)


def _opening(path: Path, line: bytes) -> Opening:
    try:
        return Opening.of(orjson.loads(line))
    except (ValueError, TypeError, KeyError, BadInput) as exc:
        raise BadInput("file", f"{path} does not begin as an export does: {exc}") from exc


def _checked(path: Path, opening: Opening, keys: PublicKeys, heads: Sequence[Head]) -> Checked:
    """Where the chain in the file is broken, or does not reach the head that the first line names."""
    head = opening.head
    if not head.is_signed(keys):
        detail = f"its first line names a head that no key of version {head.version} given here signed"
        return Checked(opening.after, opening.previous, None, Finding(Breach.BAD_SIGNATURE, None, detail))
    kept = [head, *(one for one in heads if opening.after < one.seq <= head.seq)]
    checked = check(_File(path, opening.after), keys, kept, Start(opening.after, opening.previous))
    if checked.finding is None and checked.seq > head.seq:
        detail = f"the file goes on behind {head.seq}, where it says that it ends"
        return replace(checked, finding=Finding(Breach.INSERTED, head.seq + 1, detail))
    return checked


def _sign_of_change(path: Path, keys: PublicKeys) -> Finding | None:
    """What is wrong outside the chain: every byte is signed by the last line."""
    digest, last = hashlib.sha256(), b""
    with path.open("rb") as file:
        while line := file.readline(_LONGEST):
            digest.update(last)
            last = line
    try:
        closing = Closing.of(orjson.loads(last))
    except (ValueError, TypeError, KeyError):
        return Finding(Breach.CUT_OFF, None, "its last line, which signs it, is gone or cannot be read")
    if closing.line() != last or closing.digest != digest.digest():
        return Finding(Breach.CHANGED, None, "something beside the entries is not as it was exported")
    if not closing.is_signed(keys):
        detail = f"its last line was not signed by the key of version {closing.version} that is given here"
        return Finding(Breach.BAD_SIGNATURE, None, detail)
    return None


@dataclass(frozen=True, slots=True)
class _File:
    """The links of a file that begins behind a place: the lines between the first and the last."""

    path: Path
    after: int

    def links(self) -> Iterator[Link]:
        """See `Links`."""
        with self.path.open("rb") as file:
            file.readline(_LONGEST)
            number, held = self.after, file.readline(_LONGEST)
            while line := file.readline(_LONGEST):
                number += 1
                yield _link(held, number)
                held = line
            if (
                held and b'"sha256"' not in held
            ):  # the last line is gone: this one is an entry, or what is left of one
                yield _link(held, number + 1)


def _link(line: bytes, number: int) -> Link:
    """The link of a line, which has to be as an export writes it to the last byte."""
    try:
        told = orjson.loads(line)
        entry = told["entry"]
        found = Link(
            told["seq"],
            entry["entry_id"],
            bytes.fromhex(told["previous"]),
            bytes.fromhex(told["hash"]),
            None if entry.keys() == {"entry_id"} else entry,
            Head.parse(told["head"]) if "head" in told else None,
        )
        if line_of(found) == line and type(found.seq) is int:
            return found
    except (ValueError, TypeError, KeyError, AttributeError, BadInput):
        pass
    return Link(number, 0, b"", b"", None, fault="its line is not as an export writes it, or is cut off")
