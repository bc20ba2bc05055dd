"""A key crossed a limit, or who shares it meets otherwise by now: what rests on it is judged again.

Evidence between two records stands as long as the keys they meet by, and that still tell people apart, make them
candidates; and its weight counts an identifier for what it is worth now. So the evidence that is stored is a function
of the records, whatever came first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pipeline.blocks import Blocks, WornKey
from pipeline.circles import circles
from pipeline.codes import ReasonCode
from pipeline.identity.blocking import keys_of
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.ids import Id
from pipeline.identity.model import MatchKey, MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.identity.sharing import OVERFULL
from pipeline.identity.twins import Circle
from pipeline.meet import Pair
from pipeline.meet_again import meet_again
from pipeline.ports import Grounds, IdentityStore

_NONE: frozenset[WornKey] = frozenset()
_NO_KEYS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Judged:
    """What a batch's keys call into question.

    `dropped` pairs are candidates no more, `rescored` ones agree on an identifier that lost bits or meet by other keys,
    `met` ones were none before; `via` tells by which keys pairs meet where these are others now.
    `profiles` are to be clustered afresh, `records` to be locked; `reasons` tell why, by record, where a limit was
    crossed.
    """

    dropped: frozenset[Pair] = frozenset()
    rescored: frozenset[Pair] = frozenset()
    met: frozenset[Pair] = frozenset()
    via: Mapping[Pair, tuple[MatchKey, ...]] = field(default_factory=dict)
    profiles: frozenset[Id] = frozenset()
    records: frozenset[Id] = frozenset()
    reasons: Mapping[Id, ReasonCode] = field(default_factory=dict)


def judge(blocks: Blocks, store: IdentityStore, policy: Policy) -> Judged:
    """Which stored evidence and which profiles rested on the keys that a batch wears, or by which others meet now.

    No more than their holders are looked at, and an over-full key has at most as many as its cap.
    """
    holders = {r for worn in blocks.crossed for r, *_ in worn.holders}
    concerned = holders.union(
        *(key.holders for key in blocks.unsettled),
        (r for parted in blocks.parted for pair in parted.pairs | parted.met for r in pair),
    )
    if not concerned:
        return Judged()
    verdict = _Verdict(blocks, store, policy)
    questioned = verdict.of(store.grounds(concerned))
    doubted = [g.edge for g in questioned if g.edge.comparison.confidence >= policy.review]
    homes = {r: s.profile_id for r, s in store.standing(concerned).items()}
    profiles = {homes[r] for e in doubted for r in (e.low, e.high)}
    by_limit = [e for e in doubted if (e.low, e.high) in verdict.reasons]
    reasons = {r: verdict.reasons[e.low, e.high] for e in by_limit for r in (e.low, e.high)}
    for worn in blocks.crossed:
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
        frozenset(concerned),
        reasons,
    )


class _Verdict:
    """Sorts stored evidence into what goes, what is weighed again, and what stays."""

    def __init__(self, blocks: Blocks, store: IdentityStore, policy: Policy) -> None:
        self._store = store
        self._kinds: dict[Id, int] = {}
        self._worn: defaultdict[Id, set[WornKey]] = defaultdict(set)
        self._open: defaultdict[Id, set[int]] = defaultdict(set)
        self._parted: defaultdict[Pair, set[int]] = defaultdict(set)
        self.dropped: set[Pair] = set()
        self.rescored: set[Pair] = set()
        self.reasons: dict[Pair, ReasonCode] = {}
        self.via: dict[Pair, tuple[MatchKey, ...]] = {}
        self.again: dict[Pair, tuple[MatchKey, ...]] = {}
        for worn in blocks.crossed:
            for r, kinds, *_ in worn.holders:
                self._kinds[r] = kinds
                self._worn[r].add(worn)
        for parted in blocks.parted:
            for pair in parted.pairs:
                self._parted[pair].add(parted.key)
        self._circles, self._loose = _beside(blocks, store, policy)
        self._met = {pair for parted in blocks.parted for pair in parted.met}
        if self._met:
            found = meet_again({r for pair in self._met for r in pair}, blocks, store, policy)
            self.again |= {pair: by for pair, by in found.items() if pair in self._met}
        for key, holders in _found_anew(blocks):
            self.again |= meet_again(holders, blocks, store, policy)
            for r in holders:
                self._open[r].add(key)

    def of(self, stored: Sequence[Grounds]) -> list[Grounds]:
        """The evidence called into question."""
        found = []
        pairs = [(g.edge.low, g.edge.high) for g in stored]
        shared = [self._worn.get(low, _NONE) & self._worn.get(high, _NONE) for low, high in pairs]
        left_by = {
            k.key
            for g, pair, worn in zip(stored, pairs, shared, strict=True)
            if pair in self._parted or any(w.step == OVERFULL for w in worn)
            for k in g.via
        }
        overfull = set(self._store.overfull_among(left_by)) if left_by else set()
        for grounds, pair, worn in zip(stored, pairs, shared, strict=True):
            parted = self._parted.get(pair, _NO_KEYS)
            gone = {w.key.key for w in worn if w.step == OVERFULL} | parted
            left = tuple(k for k in grounds.via if k.key not in gone and k.key not in overfull)
            if self._is_questioned(grounds, worn, parted, left, bool(gone)):
                found.append(grounds)
        return found

    def _is_questioned(
        self,
        grounds: Grounds,
        worn: AbstractSet[WornKey],
        parted: AbstractSet[int],
        left: tuple[MatchKey, ...],
        gone: bool,
    ) -> bool:
        pair = (grounds.edge.low, grounds.edge.high)
        anew = pair in self._met or not self._open.get(pair[0], _NO_KEYS).isdisjoint(
            self._open.get(pair[1], _NO_KEYS)
        )
        if not worn and not parted and not anew:
            return False
        if anew:
            stands = pair in self.again
        elif parted:  # they share an identifier still: where it speaks, other kinds of keys do not count
            stands = self._meets_yet(pair, parted, left)
        else:
            both = self._kinds.get(pair[0], 0) & self._kinds.get(pair[1], 0)
            # evidence of before keys were kept with it cannot be judged by them
            stands = not (gone and grounds.via) or worth_comparing(kinds_of(left), both)
            if stands and not any(w.identifier for w in worn):
                return False
        if stands:
            self.rescored.add(pair)
            if parted and not anew:
                self.via[pair] = left
        else:
            self.dropped.add(pair)
        if worn:
            by_people = any(w.reason is ReasonCode.SHARED_IDENTIFIER for w in worn)
            self.reasons[pair] = ReasonCode.SHARED_IDENTIFIER if by_people else ReasonCode.BLOCK_OVERFULL
        return True

    def _meets_yet(self, pair: Pair, parted: AbstractSet[int], left: tuple[MatchKey, ...]) -> bool:
        """Whether two are candidates although an identifier that both hold does not bring them together any more."""
        if any(k.kind is MatchKeyKind.IDENTIFIER for k in left):
            return True
        if any(self._circles[key].speaks for key in parted):
            return False
        low, high = (self._loose[r] for r in pair)
        both = {k.key for k in low if k.kind is MatchKeyKind.IDENTIFIER}.intersection(k.key for k in high)
        if any(key in self._circles and self._circles[key].speaks for key in both):
            return False
        return worth_comparing(kinds_of(left), kinds_of(low) & kinds_of(high))


def _beside(
    blocks: Blocks, store: IdentityStore, policy: Policy
) -> tuple[Mapping[int, Circle], Mapping[Id, tuple[MatchKey, ...]]]:
    """The circles of the batch, and of all that they share whom a worn identifier does not bring together any more; and
    all keys of these."""
    loose = {r for p in blocks.parted if not blocks.circles[p.key].speaks for pair in p.pairs for r in pair}
    keys = {
        r: keys_of(content, store.secret) for r, content in (store.contents(loose) if loose else {}).items()
    }
    more = {k.key for held in keys.values() for k in held if k.kind is MatchKeyKind.IDENTIFIER}
    worn = {w.key.key for w in blocks.crossed}
    return circles(more - blocks.circles.keys(), store, policy, worn) | blocks.circles, keys


def _found_anew(blocks: Blocks) -> Iterator[tuple[int, frozenset[Id]]]:
    """The keys of identifiers whose holders' pairs are all found anew, with these: those that a constraint parts, and
    those that begin to be worn, or say nothing any more: who shares them meets by other kinds of keys from now on."""
    for unsettled in blocks.unsettled:
        yield unsettled.key, unsettled.holders
    for worn in blocks.crossed:
        if worn.key.kind is MatchKeyKind.IDENTIFIER and (not worn.before or worn.step == OVERFULL):
            yield worn.key.key, frozenset(r for r, *_ in worn.holders)
