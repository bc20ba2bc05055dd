"""The pairs among those who share an identifier, found anew: it is worn now, or a steward told some of them apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from pipeline.blocks import Blocks, Unsettled
from pipeline.circles import circles, has_circle
from pipeline.holders import unpack
from pipeline.identity.blocking import identifier_key, keys_of
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, MatchKey, MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.identity.sharing import OVERFULL
from pipeline.meet import Filed, Pair, meet
from pipeline.ports import IdentityStore


def unsettled_by(
    put: Iterable[Constraint], freed: Mapping[int, int], store: IdentityStore, policy: Policy
) -> list[Unsettled]:
    """The identifiers of which many hold what these constraints part, or that many held and some hold no longer
    (`freed`: how many, by their match keys): rows of twins are others now.

    All that these records are identified by is locked: whoever comes to share it waits, and sees the new rows.
    """
    named = {r for c in put if c.kind is ConstraintKind.CANNOT_LINK for r in c.left | c.right}
    contents = store.contents(named) if named else {}
    keys = {identifier_key(i, store.secret) for content in contents.values() for i in content.identifiers}
    keys.update(freed)
    store.lock_keys(keys)
    held = store.holders(keys) if keys else {}
    return [
        Unsettled(key, frozenset(holder.record for holder in unpack(h.holders)))
        for key, h in sorted(held.items())
        if has_circle(h, policy, freed.get(key, 0))
    ]


def meet_again(
    holders: Collection[Id], blocks: Blocks, store: IdentityStore, policy: Policy
) -> dict[Pair, tuple[MatchKey, ...]]:
    """The candidates among stored records, with the keys they meet by, after what `blocks` say the batch changes."""
    contents = store.contents(holders)
    filed = Filed.of({r: (content, keys_of(content, store.secret)) for r, content in contents.items()})
    numbers = filed.distinct.tolist()
    overfull = store.overfull_among(numbers) | {w.key.key for w in blocks.crossed if w.step == OVERFULL}
    meeting = np.array([number not in overfull for number in numbers], np.bool_)
    shared = {
        n: filed.keys[filed.places(n)[0]] for n in np.flatnonzero(meeting & (filed.counts > 1)).tolist()
    }
    identifiers = {n: key.key for n, key in shared.items() if key.kind is MatchKeyKind.IDENTIFIER}
    known = circles(identifiers.values(), store, policy, {w.key.key for w in blocks.crossed}) | blocks.circles
    seated = {n: known[key] for n, key in identifiers.items() if key in known}
    return meet(filed, [b""] * len(numbers), meeting, seated)
