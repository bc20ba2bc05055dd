"""A key crossed a limit, or others represent it now: what rests on it is judged again.

Evidence between two records stands as long as the keys they meet by, and that still tell people apart, make them
candidates; and its weight counts an identifier for what it is worth now. So the evidence that is stored is a function
of the records, whatever came first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pipeline.blocks import Blocks, Displaced, WornKey
from pipeline.codes import ReasonCode
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.ids import Id
from pipeline.identity.model import MatchKey, MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.identity.sharing import OVERFULL
from pipeline.meet import Pair
from pipeline.meet_again import meet_again
from pipeline.ports import Grounds, IdentityStore


@dataclass(frozen=True, slots=True)
class Judged:
    """What a batch's keys call into question.

    `dropped` pairs are candidates no more, `rescored` ones agree on an identifier that lost bits or meet by fewer keys,
    `unveiled` ones were represented before; `via` tells by which keys pairs meet where these are others now.
    `profiles` are to be clustered afresh, `records` to be locked; `reasons` tell why, by record, where a limit was
    crossed.
    """

    dropped: frozenset[Pair] = frozenset()
    rescored: frozenset[Pair] = frozenset()
    unveiled: frozenset[Pair] = frozenset()
    via: Mapping[Pair, tuple[MatchKey, ...]] = field(default_factory=dict)
    profiles: frozenset[Id] = frozenset()
    records: frozenset[Id] = frozenset()
    reasons: Mapping[Id, ReasonCode] = field(default_factory=dict)


def judge(blocks: Blocks, store: IdentityStore, policy: Policy) -> Judged:
    """Which stored evidence and which profiles rested on the keys of a batch that crossed a limit or are represented by
    others now. No more than their holders are looked at, and an over-full key has at most as many as its cap."""
    crossed, displaced = blocks.crossed, blocks.displaced
    holders = {r for keys in (crossed, displaced) for key in keys for r, *_ in key.holders}
    if not holders:
        return Judged()
    verdict = _Verdict(blocks, store, policy)
    questioned = verdict.of(store.grounds(holders))
    doubted = [g.edge for g in questioned if g.edge.comparison.confidence >= policy.review]
    homes = {r: s.profile_id for r, s in store.standing(holders).items()}
    profiles = {homes[r] for e in doubted for r in (e.low, e.high)}
    by_limit = [e for e in doubted if (e.low, e.high) in verdict.reasons]
    reasons = {r: verdict.reasons[e.low, e.high] for e in by_limit for r in (e.low, e.high)}
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
        frozenset(verdict.again.keys() - verdict.rescored),
        verdict.again | verdict.via,
        frozenset(profiles),
        frozenset(holders),
        reasons,
    )


class _Verdict:
    """Sorts stored evidence into what goes, what is weighed again, and what stays."""

    def __init__(self, blocks: Blocks, store: IdentityStore, policy: Policy) -> None:
        self._store = store
        self._kinds: dict[Id, int] = {}
        self._worn: defaultdict[Id, set[WornKey]] = defaultdict(set)
        self._gone: defaultdict[Id, list[tuple[Displaced, frozenset[Id]]]] = defaultdict(list)
        for worn in blocks.crossed:
            for r, kinds, _ in worn.holders:
                self._kinds[r] = kinds
                self._worn[r].add(worn)
        for displaced in blocks.displaced:
            unmet = frozenset(r for r, *_ in displaced.holders) - displaced.standing
            for r in displaced.gone:
                self._gone[r].append((displaced, unmet))
        self.dropped: set[Pair] = set()
        self.rescored: set[Pair] = set()
        self.reasons: dict[Pair, ReasonCode] = {}
        self.via: dict[Pair, tuple[MatchKey, ...]] = {}
        self.again: dict[Pair, tuple[MatchKey, ...]] = {}
        for worn in blocks.crossed:
            if worn.identifier is not None and worn.step == OVERFULL:
                self.again |= meet_again(worn, blocks.crossed, blocks.displaced, store, policy)

    def of(self, stored: Sequence[Grounds]) -> list[Grounds]:
        """The evidence called into question."""
        found = []
        shared = [self._worn.get(g.edge.low, _NONE) & self._worn.get(g.edge.high, _NONE) for g in stored]
        unmet = [self._unmet(g.edge.low, g.edge.high) for g in stored]
        left_by = {
            k.key
            for g, worn, parted in zip(stored, shared, unmet, strict=True)
            if parted or any(w.step == OVERFULL for w in worn)
            for k in g.via
        }
        overfull = set(self._store.overfull_among(left_by)) if left_by else set()
        for grounds, worn, parted in zip(stored, shared, unmet, strict=True):
            if not worn and not parted:
                continue
            gone = {w.key.key for w in worn if w.step == OVERFULL} | parted
            left = tuple(k for k in grounds.via if k.key not in gone and k.key not in overfull)
            if self._sorted(grounds, worn, parted, left, bool(gone)):
                found.append(grounds)
        return found

    def _sorted(
        self,
        grounds: Grounds,
        worn: AbstractSet[WornKey],
        parted: set[int],
        left: tuple[MatchKey, ...],
        gone: bool,
    ) -> bool:
        """Whether the evidence is called into question at all."""
        pair = (grounds.edge.low, grounds.edge.high)
        if self._is_candidate(pair, worn, parted, left) or not (gone and grounds.via):
            # evidence of before keys were kept with it cannot be judged by them
            if not parted and not any(w.identifier for w in worn):
                return False
            self.rescored.add(pair)
            if parted:
                self.via[pair] = left
        else:
            self.dropped.add(pair)
        if worn:
            by_people = any(w.reason is ReasonCode.SHARED_IDENTIFIER for w in worn)
            self.reasons[pair] = ReasonCode.SHARED_IDENTIFIER if by_people else ReasonCode.BLOCK_OVERFULL
        return True

    def _is_candidate(
        self, pair: Pair, worn: AbstractSet[WornKey], parted: set[int], left: tuple[MatchKey, ...]
    ) -> bool:
        if any(w.identifier is not None and w.step == OVERFULL for w in worn):
            return pair in self.again
        if parted:  # they share an identifier still: other kinds of keys do not count
            return any(k.kind is MatchKeyKind.IDENTIFIER for k in left)
        both = self._kinds.get(pair[0], 0) & self._kinds.get(pair[1], 0)
        return worth_comparing(kinds_of(left), both)

    def _unmet(self, low: Id, high: Id) -> set[int]:
        """The identifiers both hold that neither represents any more."""
        return {
            displaced.key.key
            for one, other in ((low, high), (high, low))
            for displaced, unmet in self._gone.get(one, ())
            if other in unmet
        }


_NONE: frozenset[WornKey] = frozenset()
