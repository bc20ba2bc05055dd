"""New records meet whoever shares their match keys, a batch at a time in arrays.

A record shares some key with a hundred others, and all but two or three are not worth a comparison. Sorted by new
record and holder, what a pair shares stands together; only the pairs that are left are looked at one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from pipeline.holders import HOLDER_BYTES, Holder, pack
from pipeline.identity.candidates import all_worth_comparing, kinds_of
from pipeline.identity.ids import Id
from pipeline.identity.model import MatchKey, MatchKeyKind
from pipeline.identity.scratch import KeyedRecords
from pipeline.identity.twins import Circle

Pair = tuple[Id, Id]
Numbers = NDArray[np.int64]

_MEETS = 1 << MatchKeyKind.IDENTIFIER
_HOLDER = np.dtype(
    [("high", ">u8"), ("low", ">u8"), ("kinds", ">i4"), ("person", ">i4"), ("likeness", ">i8")]
)


@dataclass(frozen=True, slots=True, eq=False)
class Filed:
    """The match keys of new records, in the records' order: `keys[n]` is one of the record `owner[n]`'s, and the block
    `block[n]`'s, numbered in the order of the distinct keys' numbers `distinct`.

    `order` puts the places of a block one behind the other, from `starts` on, `counts` of them.
    """

    ids: tuple[Id, ...]
    kinds: Numbers
    keys: Sequence[MatchKey]
    owner: Numbers
    block: Numbers
    distinct: Numbers
    order: Numbers
    starts: Numbers
    counts: Numbers

    @classmethod
    def of(cls, new: KeyedRecords) -> Filed:
        """File the records' keys."""
        keys = [key for _, held in new.values() for key in held]
        holding = np.array([len(held) for _, held in new.values()], np.int64)
        distinct, block, counts = np.unique(
            np.array([key.key for key in keys], np.int64), return_inverse=True, return_counts=True
        )
        return cls(
            tuple(new),
            np.array([kinds_of(held) for _, held in new.values()], np.int64),
            keys,
            np.repeat(np.arange(len(new)), holding),
            block,
            distinct,
            np.argsort(block, kind="stable"),
            np.cumsum(counts) - counts,
            counts,
        )

    def places(self, block: int) -> Numbers:
        """Where the block's key stands in `keys`, in the order of the records."""
        start = self.starts[block]
        return self.order[start : start + self.counts[block]]

    def mine(self, block: int) -> tuple[Id, ...]:
        """The new records that hold the block's key."""
        return tuple([self.ids[n] for n in self.owner[self.places(block)].tolist()])


def meet(
    filed: Filed,
    stored: Sequence[bytes],
    meeting: NDArray[np.bool_],
    circles: Mapping[int, Circle],
) -> dict[Pair, tuple[MatchKey, ...]]:
    """Candidate pairs, the lower id first, of a new record and another one, with the keys they meet by.

    `stored` are the packed holders of each block, `meeting` the blocks whose records meet, `circles` those of them in
    which not everybody meets everybody.
    """
    place, rows = _met(filed, stored, meeting, circles)
    if not len(place):
        return {}
    owner = filed.owner[place]
    order, starts = _grouped(owner, rows)
    bits = np.array([1 << key.kind for key in filed.keys], np.int64)
    shared: Numbers = np.bitwise_or.reduceat(bits[place[order]], starts)
    heads = order[starts]
    both = filed.kinds[owner[heads]] & rows["kinds"][heads]
    worth = np.flatnonzero(all_worth_comparing(shared, both))
    ends = np.append(starts[1:], len(order))
    speaking = _speaking(filed, circles)
    pairs: dict[Pair, tuple[MatchKey, ...]] = {}
    loose = shared & _MEETS == 0
    for head, start, end, is_loose in zip(
        *(found[worth].tolist() for found in (heads, starts, ends, loose)), strict=True
    ):
        r, o = filed.ids[owner[head]], Id(rows[head].tobytes()[:16])
        if is_loose and r in speaking and any(o in circle for circle in speaking[r]):
            continue
        via = tuple([filed.keys[n] for n in sorted(place[order[start:end]].tolist())])
        pairs[(r, o) if r < o else (o, r)] = via
    return pairs


def _speaking(filed: Filed, circles: Mapping[int, Circle]) -> Mapping[Id, Sequence[Circle]]:
    """For each new record the circles whose identifier speaks for it: it meets the others there by it or not at all."""
    found: defaultdict[Id, list[Circle]] = defaultdict(list)
    for block, circle in circles.items():
        for r in filed.mine(block) if circle.speaks else ():
            found[r].append(circle)
    return found


def _met(
    filed: Filed, stored: Sequence[bytes], meeting: NDArray[np.bool_], circles: Mapping[int, Circle]
) -> tuple[Numbers, NDArray[np.void]]:
    """Everybody whom a new record meets under one of its keys: the key's place, and the other.

    Of two new records the one that comes first meets the other.
    """
    told = np.array([len(packed) for packed in stored], np.int64) // HOLDER_BYTES
    freely = meeting.copy()
    freely[list(circles)] = False
    places = np.flatnonzero((freely & (told > 0))[filed.block])
    blocks = filed.block[places]
    own = np.frombuffer(
        b"".join([pack(Holder(r, k, 0, 0)) for r, k in zip(filed.ids, filed.kinds.tolist(), strict=True)]),
        _HOLDER,
    )
    firsts: list[int] = []
    others: list[int] = []
    for b in np.flatnonzero(freely & (filed.counts > 1)).tolist():
        together = filed.places(b).tolist()
        for n, first in enumerate(together, start=1):
            firsts += repeat(first, len(together) - n)
            others += together[n:]
    seated = [row for b, circle in circles.items() for row in _seated(filed, b, stored[b], circle, own)]
    place = np.concatenate(
        (
            np.repeat(places, told[blocks]),
            np.array(firsts, np.int64),
            np.array([at for at, _ in seated], np.int64),
        )
    )
    met = [
        *(stored[b] for b in blocks.tolist()),
        own[filed.owner[np.array(others, np.int64)]].tobytes(),
        *(row for _, row in seated),
    ]
    # as bytes: numpy would join arrays in its own byte order
    return place, np.frombuffer(b"".join(met), _HOLDER)


def _seated(
    filed: Filed, block: int, stored: bytes, circle: Circle, own: NDArray[np.void]
) -> Iterator[tuple[int, bytes]]:
    """Whom the new records of a circle meet there."""
    rows = {stored[n : n + 16]: stored[n : n + HOLDER_BYTES] for n in range(0, len(stored), HOLDER_BYTES)}
    mine = {filed.ids[filed.owner[place]]: place for place in filed.places(block).tolist()}
    seen: set[Id] = set()
    for r, place in mine.items():
        seen.add(r)
        for other in circle.others(r):
            if other in rows:
                yield place, rows[other]
            elif other in mine and other not in seen:
                yield place, own[filed.owner[mine[other]]].tobytes()


def _grouped(owner: Numbers, rows: NDArray[np.void]) -> tuple[Numbers, Numbers]:
    """The order that puts a pair's rows one behind the other, and where in it each pair starts."""
    high, low = rows["high"].astype(np.uint64), rows["low"].astype(np.uint64)
    order = np.lexsort((low, high, owner))
    owner, high, low = owner[order], high[order], low[order]
    differs = (owner[1:] != owner[:-1]) | (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return order, np.flatnonzero(np.append(True, differs))
