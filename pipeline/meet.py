"""New records meet whoever shares their match keys, a batch at a time in arrays.

A record shares some key with a hundred others, and all but two or three are not worth a comparison. Sorted by new
record and holder, what a pair shares stands together; only the pairs that are left are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.holders import HOLDER_BYTES, Holder, pack
from pipeline.identity.candidates import all_worth_comparing, kinds_of
from pipeline.identity.ids import Id
from pipeline.identity.model import MatchKey
from pipeline.identity.scratch import KeyedRecords

Pair = tuple[Id, Id]
Block = tuple[bytes, Sequence[Id]]
"""Who holds a key: stored records, packed, and new ones."""

_HOLDER = np.dtype([("high", ">u8"), ("low", ">u8"), ("kinds", ">i4"), ("person", ">i4")])


def meet(new: KeyedRecords, blocks: Mapping[int, Block]) -> dict[Pair, tuple[MatchKey, ...]]:
    """Candidate pairs, the lower id first, of a new record and another one, with the keys they share."""
    own = {r: (kinds_of(keys), pack(Holder(r, kinds_of(keys), 0))) for r, (_, keys) in new.items()}
    keys, owners, packed = _shared(new, blocks, {r: row for r, (_, row) in own.items()})
    if not keys:
        return {}
    rows = np.frombuffer(b"".join(packed), _HOLDER)
    counts = [len(p) // HOLDER_BYTES for p in packed]
    owner = np.repeat(np.array(owners), counts)
    place = np.repeat(np.arange(len(keys)), counts)
    order, starts = _grouped(owner, rows)
    of_key = np.array([1 << key.kind for key in keys], np.int64)
    shared: NDArray[np.int64] = np.bitwise_or.reduceat(of_key[place[order]], starts)
    heads = order[starts]
    of_owner = np.array([kinds for kinds, _ in own.values()], np.int64)
    both = of_owner[owner[heads]] & rows["kinds"][heads]
    worth = np.flatnonzero(all_worth_comparing(shared, both))
    ids, ends = tuple(new), np.append(starts[1:], len(order))
    pairs: dict[Pair, tuple[MatchKey, ...]] = {}
    for head, start, end in zip(
        heads[worth].tolist(), starts[worth].tolist(), ends[worth].tolist(), strict=True
    ):
        r, o = ids[owner[head]], Id(rows[head].tobytes()[:16])
        via = tuple([keys[n] for n in place[order[start:end]].tolist()])
        pairs[(r, o) if r < o else (o, r)] = via
    return pairs


def _shared(
    new: KeyedRecords, blocks: Mapping[int, Block], own: Mapping[Id, bytes]
) -> tuple[list[MatchKey], list[int], list[bytes]]:
    """Each key of each new record that others hold: the key, the record's place, and the others, packed.

    Of two new records the one that comes first meets the other.
    """
    keys: list[MatchKey] = []
    owners: list[int] = []
    packed: list[bytes] = []
    for n, (r, (_, held)) in enumerate(new.items()):
        for key in held:
            block = blocks.get(key.key)
            if block is None:
                continue
            stored, mine = block
            later = mine[mine.index(r) + 1 :] if len(mine) > 1 else ()
            if stored or later:
                keys.append(key)
                owners.append(n)
                packed.append(stored + b"".join([own[o] for o in later]) if later else stored)
    return keys, owners, packed


def _grouped(owner: NDArray[np.int64], rows: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order that puts a pair's rows one behind the other, as they came, and where in it each pair starts."""
    high, low = rows["high"].astype(np.uint64), rows["low"].astype(np.uint64)
    order = np.lexsort((low, high, owner))  # stable
    owner, high, low = owner[order], high[order], low[order]
    differs = (owner[1:] != owner[:-1]) | (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return order, np.flatnonzero(np.append(True, differs))
