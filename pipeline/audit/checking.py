"""Checks a chain from wherever its links are read, and names the first place where it is broken.

A link that does not hold was changed. One that holds and does not follow on the link before it says what should stand
there: if that stands elsewhere, links were reordered or put in; if nowhere, they were removed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.audit.actions import Action
from pipeline.audit.breach import Breach, Finding
from pipeline.audit.chain import GENESIS, Link, canonical, link_hash
from pipeline.audit.signing import Head, PublicKeys


@dataclass(frozen=True, slots=True)
class Checked:
    """How far a chain holds: its last link, `signed` the last head in it that fits, `finding` what is wrong behind;
    `told` what whoever chained it found wrong at the time."""

    seq: int
    hash: bytes
    signed: Head | None
    finding: Finding | None
    told: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is wrong, in the order of the chain."""
        return self.told if self.finding is None else (*self.told, self.finding)


class Links(Protocol):
    """A chain, or a part of one, to be read as often as it takes."""

    def links(self) -> Iterator[Link]:
        """The links in the order in which they are to stand."""


@dataclass(frozen=True, slots=True)
class Start:
    """What stands before the first link that is checked; `version` of the key ring signed there."""

    seq: int = 0
    hash: bytes = GENESIS
    version: int = 0


BEGINNING = Start()


def check(chain: Links, keys: PublicKeys, heads: Iterable[Head] = (), start: Start = BEGINNING) -> Checked:
    """Whether all links hold, follow on each other from `start` on and are signed to the last, and whether the chain
    goes through the heads that were kept of it. `heads` are signed, which their reader has made sure of."""
    kept: defaultdict[int, list[Head]] = defaultdict(list)
    for head in heads:
        kept[head.seq].append(head)
    seq, last, signed, version, told = start.seq, start.hash, None, start.version, list[Finding]()
    for link in chain.links():
        found = _broken(chain, link, seq, last, start) or _unsigned(link, keys, version)
        if found is None and link.seq in kept:
            found = next((_otherwise(head) for head in kept[link.seq] if head.hash != link.hash), None)
        if found is not None:
            return Checked(seq, last, signed, found, tuple(told))
        seq, last = link.seq, link.hash
        if link.head is not None:
            signed, version = link.head, link.head.version
        told += _told(link)
    furthest = kept[max(kept)][0] if kept else None
    return Checked(seq, last, signed, _end(seq, signed, furthest, start), tuple(told))


def _told(link: Link) -> Iterator[Finding]:
    """That whoever chained found the chain broken stays in it: from then on all of it is told, and this too."""
    entry = link.entry
    if entry is not None and entry.get("action") == Action.AUDIT_BROKEN:
        details = canonical({"details": entry.get("details")}).decode()
        yield Finding(Breach.BROKEN, link.seq, f"entry {link.entry_id} says so, {details}")


def _end(seq: int, signed: Head | None, furthest: Head | None, start: Start) -> Finding | None:
    if furthest is not None and furthest.seq > seq:
        when = f"{furthest.at:%Y-%m-%d %H:%M:%S} UTC"
        detail = f"the chain ends at {seq}, and a head is known at {furthest.seq}, signed {when}"
        return Finding(Breach.CUT_OFF, seq + 1, detail)
    if seq > start.seq and (signed is None or signed.seq != seq):
        return Finding(
            Breach.CUT_OFF, seq + 1, f"the last entry, {seq}, is not signed: what stood behind it is gone"
        )
    return None


def _otherwise(head: Head) -> Finding:
    detail = f"a head that was kept, signed {head.at:%Y-%m-%d %H:%M:%S} UTC, has another hash here"
    return Finding(Breach.REWRITTEN, head.seq, detail)


def _broken(chain: Links, link: Link, seq: int, last: bytes, start: Start) -> Finding | None:
    """What is wrong with a link behind the one of `seq` and hash `last`."""
    wanted = seq + 1
    if link.fault is not None:
        return Finding(Breach.CHANGED, wanted, link.fault)
    if link.seq != wanted:
        return _misplaced(chain, link, wanted)
    if not link.holds():
        return _changed(chain, link, last)
    if link.previous != last:
        return _unlinked(chain, link, start)
    return None


def _unsigned(link: Link, keys: PublicKeys, version: int) -> Finding | None:
    """What is wrong with the signature of a link behind one by `version`: who holds a key that was given up signs
    nothing any more."""
    head = link.head
    if head is None:
        return None
    if head.version not in keys:
        detail = f"no key of version {head.version} is known here, by which it is signed"
    elif (head.seq, head.hash) != (link.seq, link.hash) or not head.is_signed(keys):
        detail = "entries up to here may be others than were signed"
    elif head.version < version:
        detail = f"it is by version {head.version} of the key ring, and {version} had signed before"
    else:
        return None
    return Finding(Breach.BAD_SIGNATURE, link.seq, detail)


def _misplaced(chain: Links, link: Link, wanted: int) -> Finding:
    if link.seq < wanted or any(other.seq == wanted for other in chain.links()):
        return Finding(Breach.REORDERED, wanted, f"the place of {wanted} is taken by {link.seq}")
    last = link.seq - 1
    which = f"{wanted} is" if last == wanted else f"{wanted} to {last} are"
    return Finding(Breach.REMOVED, wanted, f"{which} gone from the chain")


def _changed(chain: Links, link: Link, last: bytes) -> Finding:
    """A link that does not hold: its entry is gone, or another link's belongs here, or it stands between two that go
    together."""
    if link.entry is None:
        detail = f"entry {link.entry_id} is in the chain, and is gone itself or cannot be read"
        return Finding(Breach.REMOVED, link.seq, detail)
    for other in chain.links():
        if other.seq == link.seq + 1 and other.previous == last:
            return _put_in(link.seq)
        if other.entry is not None and other.seq != link.seq and _belongs(other.entry, link):
            detail = f"the entry of {other.seq} belongs here"
            return Finding(Breach.REORDERED, link.seq, detail)
    return Finding(Breach.CHANGED, link.seq, f"entry {link.entry_id} is not what was chained")


def _put_in(seq: int) -> Finding:
    detail = f"{seq + 1} was chained right behind {seq - 1}: what stands between them was put in"
    return Finding(Breach.INSERTED, seq, detail)


def _belongs(entry: Mapping[str, object], link: Link) -> bool:
    """Whether an entry, under its own id or that of the link's entry, is what was chained here."""
    return any(
        link_hash(link.previous, canonical({**entry, "entry_id": entry_id})) == link.hash
        for entry_id in (entry["entry_id"], link.entry_id)
    )


def _unlinked(chain: Links, link: Link, start: Start) -> Finding:
    """A link that holds and does not follow on the one before it."""
    wanted = link.seq
    where = start.seq if link.previous == start.hash else None
    where = next((other.seq for other in chain.links() if other.hash == link.previous), where)
    if where is None:
        detail = f"entry {link.entry_id} was chained behind another one, which is gone"
        return Finding(Breach.REMOVED, wanted, detail)
    if where == wanted - 2:
        return _put_in(wanted - 1)
    return Finding(
        Breach.REORDERED, wanted, f"entry {link.entry_id} was chained behind what stands at {where}"
    )
