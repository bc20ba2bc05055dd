"""An identifier says nothing any more: who shared it and was represented meets by what else they have in common."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pipeline.blocks import Displaced, WornKey
from pipeline.identity.blocking import match_keys
from pipeline.identity.model import CanonicalRecord, MatchKey, MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.identity.sharing import OVERFULL
from pipeline.meet import Filed, Pair, meet
from pipeline.ports import IdentityStore
from pipeline.representing import representing


def meet_again(
    worn: WornKey,
    crossed: Iterable[WornKey],
    displaced: Iterable[Displaced],
    store: IdentityStore,
    policy: Policy,
) -> dict[Pair, tuple[MatchKey, ...]]:
    """The candidates among those who held a key before it was over-full, with the keys they meet by now.

    `crossed` and `displaced` are what the batch changed about keys in general.
    """
    filed = Filed.of(
        {
            r: (content, match_keys(CanonicalRecord(content.identifiers, content.traits), store.secret))
            for r, content in store.contents({r for r, *_ in worn.holders}).items()
        }
    )
    numbers = filed.distinct.tolist()
    overfull = store.overfull_among(numbers) | {w.key.key for w in crossed if w.step == OVERFULL}
    meeting = np.array([number not in overfull for number in numbers], np.bool_)
    shared = np.flatnonzero(meeting & (filed.counts > 1)).tolist()
    keys = {n: filed.keys[filed.places(n)[0]] for n in shared}
    identifiers = {n: key.key for n, key in keys.items() if key.kind is MatchKeyKind.IDENTIFIER}
    standing = representing(identifiers.values(), store, policy)
    standing |= {d.key.key: d.standing for d in displaced}
    represented = {n: standing[key] for n, key in identifiers.items()}
    return meet(filed, [b""] * len(numbers), meeting, represented)
