"""A key crossed a limit: what rests on it is judged again.

Evidence between two records stands as long as the keys that both hold, and that still tell people apart, make them
candidates; and its weight counts an identifier for what it is worth now. So the evidence that is stored is a function
of the records, whatever came first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.blocks import WornKey
from pipeline.codes import ReasonCode
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.identity.sharing import OVERFULL
from pipeline.meet import Pair
from pipeline.ports import Grounds, IdentityStore


@dataclass(frozen=True, slots=True)
class Judged:
    """What a batch's crossings call into question.

    `dropped` pairs are candidates no more, `rescored` ones agree on an identifier that lost bits. `profiles` are to be
    clustered afresh, `records` to be locked; `reasons` tell why, by record.
    """

    dropped: frozenset[Pair] = frozenset()
    rescored: frozenset[Pair] = frozenset()
    profiles: frozenset[Id] = frozenset()
    records: frozenset[Id] = frozenset()
    reasons: Mapping[Id, ReasonCode] = field(default_factory=dict)


def judge(crossed: Sequence[WornKey], store: IdentityStore, policy: Policy) -> Judged:
    """Which stored evidence and which profiles rested on the keys. No more than their holders are looked at, and an
    over-full key has at most as many as its cap."""
    holders = {r for worn in crossed for r, *_ in worn.holders}
    if not holders:
        return Judged()
    kinds = {r: k for worn in crossed for r, k, _ in worn.holders}
    verdict = _Verdict(crossed, kinds, store)
    doubted = []
    for grounds in verdict.of(store.grounds(holders)):
        if grounds.edge.comparison.confidence >= policy.review:
            doubted.append(grounds.edge)
    homes = {r: s.profile_id for r, s in store.standing(holders).items()}
    profiles = {homes[r] for e in doubted for r in (e.low, e.high)}
    reasons = {r: verdict.reasons[e.low, e.high] for e in doubted for r in (e.low, e.high)}
    for worn in crossed:
        if worn.identifier is None:
            continue
        # clusters as wholes agreed on the identifier, whether two of the records alone did or not
        together = Counter(homes[r] for r, *_ in worn.holders if r in homes)
        for r, *_ in worn.holders:
            if together[homes[r]] > 1:
                profiles.add(homes[r])
                reasons[r] = worn.reason
    return Judged(
        frozenset(verdict.dropped),
        frozenset(verdict.rescored),
        frozenset(profiles),
        frozenset(holders),
        reasons,
    )


class _Verdict:
    """Sorts stored evidence into what goes, what is weighed again, and what stays."""

    def __init__(self, crossed: Iterable[WornKey], kinds: Mapping[Id, int], store: IdentityStore) -> None:
        self._kinds, self._store = kinds, store
        self._worn: defaultdict[Id, set[WornKey]] = defaultdict(set)
        for worn in crossed:
            for r, *_ in worn.holders:
                self._worn[r].add(worn)
        self.dropped: set[Pair] = set()
        self.rescored: set[Pair] = set()
        self.reasons: dict[Pair, ReasonCode] = {}

    def of(self, stored: Sequence[Grounds]) -> Iterable[Grounds]:
        """The evidence called into question."""
        shared = [self._worn[g.edge.low] & self._worn[g.edge.high] for g in stored]
        left_by = {
            k.key
            for g, worn in zip(stored, shared, strict=True)
            if any(w.step == OVERFULL for w in worn)
            for k in g.via
        }
        overfull = set(self._store.overfull_among(left_by)) if left_by else set()
        for grounds, worn in zip(stored, shared, strict=True):
            pair = (grounds.edge.low, grounds.edge.high)
            gone = {w.key.key for w in worn if w.step == OVERFULL}
            left = kinds_of(k for k in grounds.via if k.key not in gone and k.key not in overfull)
            # evidence of before keys were kept with it cannot be judged by them
            if (
                gone
                and grounds.via
                and not worth_comparing(left, self._kinds[pair[0]] & self._kinds[pair[1]])
            ):
                self.dropped.add(pair)
            elif any(w.identifier for w in worn):
                self.rescored.add(pair)
            else:
                continue
            by_people = any(w.reason is ReasonCode.SHARED_IDENTIFIER for w in worn)
            self.reasons[pair] = ReasonCode.SHARED_IDENTIFIER if by_people else ReasonCode.BLOCK_OVERFULL
            yield grounds
