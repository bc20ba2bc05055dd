"""Checks an exported audit log: with the file and public keys, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
_COMMITTED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class FileChecked:
    """What the first line says, how far the file holds, and the kept heads that it says nothing of: they are of places
    before it, or may have been signed after it was exported."""

    opening: Opening
    checked: Checked
    outside: tuple[Head, ...]


def verify_file(path: Path, keys: PublicKeys, heads: Sequence[Head] = ()) -> FileChecked:
    """Check a file, and that it goes through those `heads` that were kept of its part of the chain, follows on one of
    the place before it, and reaches those that were signed before it was exported.

    Raises BadInput where it cannot be read or is no export, and for a head that none of the keys signed.
    """
    must_be_signed(heads, keys)
    try:
        with path.open("rb") as file:
            opening = _opening(path, file.readline(_LONGEST))
        checked = _checked(path, opening, keys, heads)
        if checked.finding is None:
            finding = _sign_of_change(path, keys) or _unmet(opening, heads)
            checked = replace(checked, finding=finding)
    except OSError as exc:
        raise BadInput("file", f"{path} cannot be read: {exc.strerror}") from exc
    outside = [
        h for h in heads if h.seq < opening.after or (h.seq > opening.head.seq and not _due(opening, h))
    ]
    return FileChecked(opening, checked, tuple(outside))


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


def _unmet(opening: Opening, heads: Sequence[Head]) -> Finding | None:
    """A kept head that the file should begin behind, or reach, and does not."""
    end = opening.head.seq
    for head in heads:
        when = f"signed {head.at:%Y-%m-%d %H:%M:%S} UTC"
        if head.seq == opening.after and head.hash != opening.previous:
            detail = f"the file begins behind another hash than that of a head that was kept, {when}"
            return Finding(Breach.REWRITTEN, head.seq, detail)
        if head.seq > end and _due(opening, head):
            detail = f"the file ends at {end}, and was exported after a head at {head.seq} had been {when}"
            return Finding(Breach.CUT_OFF, end + 1, detail)
    return None


def _due(opening: Opening, head: Head) -> bool:
    """Whether an export of then has to hold it. A head is signed before it is committed, and clocks differ."""
    return head.at < datetime.fromisoformat(opening.exported_at) - _COMMITTED


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
