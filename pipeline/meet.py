"""New records meet whoever shares their match keys, a batch at a time in arrays.

A record shares some key with a hundred others, and all but two or three are not worth a comparison. Sorted by new
record and holder, what a pair shares stands together; only the pairs that are left are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from pipeline.holders import HOLDER_BYTES, Holder, pack
from pipeline.identity.candidates import all_worth_comparing, kinds_of
from pipeline.identity.ids import Id
from pipeline.identity.model import MatchKey, MatchKeyKind
from pipeline.identity.scratch import KeyedRecords

Pair = tuple[Id, Id]
Numbers = NDArray[np.int64]

_MEETS = 1 << MatchKeyKind.IDENTIFIER
_REPRESENTED = 1 << max(MatchKeyKind) + 1
"""Where a key's bit would be: an identifier in common that neither represents."""
_HOLDER = np.dtype([("high", ">u8"), ("low", ">u8"), ("kinds", ">i4"), ("person", ">i4")])


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
    represented: Mapping[int, frozenset[Id]],
) -> dict[Pair, tuple[MatchKey, ...]]:
    """Candidate pairs, the lower id first, of a new record and another one, with the keys they meet by.

    `stored` are the packed holders of each block, `meeting` the blocks whose records meet, `represented` those of
    identifiers that some of their records stand for, with these (pipeline/identity/representatives.py).
    """
    place, rows = _met(filed, stored, meeting)
    if not len(place):
        return {}
    owner = filed.owner[place]
    order, starts = _grouped(owner, rows)
    bits = np.array([1 << key.kind for key in filed.keys], np.int64)[place]
    if represented:
        bits[_unmet(filed, place, rows, represented)] = _REPRESENTED
    shared: Numbers = np.bitwise_or.reduceat(bits[order], starts)
    heads = order[starts]
    both = filed.kinds[owner[heads]] & rows["kinds"][heads]
    by_keys = all_worth_comparing(shared & ~_REPRESENTED, both)
    worth = np.flatnonzero(by_keys & ((shared & _REPRESENTED == 0) | (shared & _MEETS != 0)))
    ends = np.append(starts[1:], len(order))
    pairs: dict[Pair, tuple[MatchKey, ...]] = {}
    for head, start, end in zip(
        heads[worth].tolist(), starts[worth].tolist(), ends[worth].tolist(), strict=True
    ):
        r, o = filed.ids[owner[head]], Id(rows[head].tobytes()[:16])
        by = order[start:end]
        if represented:
            by = by[bits[by] != _REPRESENTED]
        via = tuple([filed.keys[n] for n in sorted(place[by].tolist())])
        pairs[(r, o) if r < o else (o, r)] = via
    return pairs


def _unmet(
    filed: Filed, place: Numbers, rows: NDArray[np.void], represented: Mapping[int, frozenset[Id]]
) -> Numbers:
    """The rows of two records that share an identifier which neither represents."""
    found = []
    for block, standing in represented.items():
        mine = np.array([r in standing for r in filed.ids], np.bool_)
        at = np.flatnonzero(filed.block[place] == block)
        at = at[~mine[filed.owner[place[at]]]]
        likely = at[np.isin(rows["high"][at], [int.from_bytes(r[:8]) for r in standing])]
        others = [n for n in likely.tolist() if rows[n].tobytes()[:16] in standing]
        found.append(np.setdiff1d(at, others, assume_unique=True))
    return np.concatenate(found)


def _met(
    filed: Filed, stored: Sequence[bytes], meeting: NDArray[np.bool_]
) -> tuple[Numbers, NDArray[np.void]]:
    """Everybody whom a new record meets under one of its keys: the key's place, and the other.

    Of two new records the one that comes first meets the other.
    """
    told = np.array([len(packed) for packed in stored], np.int64) // HOLDER_BYTES
    places = np.flatnonzero((meeting & (told > 0))[filed.block])
    blocks = filed.block[places]
    own = np.frombuffer(b"".join(map(pack, map(Holder, filed.ids, filed.kinds.tolist(), repeat(0)))), _HOLDER)
    firsts: list[int] = []
    others: list[int] = []
    for b in np.flatnonzero(meeting & (filed.counts > 1)).tolist():
        together = filed.places(b).tolist()
        for n, first in enumerate(together, start=1):
            firsts += repeat(first, len(together) - n)
            others += together[n:]
    place = np.concatenate((np.repeat(places, told[blocks]), np.array(firsts, np.int64)))
    met = [*(stored[b] for b in blocks.tolist()), own[filed.owner[np.array(others, np.int64)]].tobytes()]
    return place, np.frombuffer(
        b"".join(met), _HOLDER
    )  # as bytes: numpy would join arrays in its own byte order


def _grouped(owner: Numbers, rows: NDArray[np.void]) -> tuple[Numbers, Numbers]:
    """The order that puts a pair's rows one behind the other, and where in it each pair starts."""
    high, low = rows["high"].astype(np.uint64), rows["low"].astype(np.uint64)
    order = np.lexsort((low, high, owner))
    owner, high, low = owner[order], high[order], low[order]
    differs = (owner[1:] != owner[:-1]) | (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return order, np.flatnonzero(np.append(True, differs))
