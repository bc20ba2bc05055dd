"""The match keys of new records: which bring candidates together, and which crossed a limit by these very records.

Counts only grow, so a key passes each of its steps once (pipeline/identity/sharing.py). Its limits are judged over all
records that hold it, those of the batch included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.circles import records_of, sides_of
from pipeline.codes import ReasonCode
from pipeline.holders import Holder, unpack
from pipeline.identity.blocking import identifier_key
from pipeline.identity.ids import Id
from pipeline.identity.model import Identifier, IdentityRecord, MatchKey, MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.identity.scratch import KeyedRecords
from pipeline.identity.sharing import (
    OVERFULL,
    bits_lost,
    meeting,
    of_tag,
    people,
    person_tag,
    sharing_limit,
    step_of,
)
from pipeline.identity.twins import Circle, HoldersCompared, likeness_number
from pipeline.meet import Filed, Pair, meet
from pipeline.ports import Held, IdentityStore

_NOBODY = Held(0, 0.0, b"")
_IDENTIFIER = MatchKeyKind.IDENTIFIER


@dataclass(frozen=True, slots=True, eq=False)
class WornKey:
    """A match key that crossed a limit: from step `before` to `step`, with what agreement on it has lost now.

    `people` and `identifier` only where it is an identifier's. `holders` held it before, `mine` are the new records.
    """

    key: MatchKey
    before: int
    step: int
    lost: float
    people: int
    identifier: Identifier | None
    reason: ReasonCode
    holders: tuple[Holder, ...]
    mine: tuple[Id, ...]

    @property
    def kind(self) -> str:
        """What is shared: a type of identifier or a kind of match key."""
        return self.identifier.type.value if self.identifier else self.key.kind.name.lower()


@dataclass(frozen=True, slots=True)
class Parted:
    """Stored records that do not meet by an identifier any more, since new records came between them; `met` do by now,
    since new records stand for those who stood between them. `key` is the identifier's match key."""

    key: int
    pairs: frozenset[Pair]
    met: frozenset[Pair]


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A match key of an identifier whose holders may meet otherwise by now: all their pairs are to be found anew."""

    key: int
    holders: frozenset[Id]


@dataclass(slots=True)
class Blocks:
    """What blocking makes of the new records.

    `pairs` are candidates, each with the keys the two meet by. `lost` are the bits that agreement on identifiers of new
    records has lost by now. `circles` are those of identifiers of new records, by their keys.
    """

    pairs: dict[Pair, tuple[MatchKey, ...]] = field(default_factory=dict)
    overfull: defaultdict[Id, list[MatchKey]] = field(default_factory=lambda: defaultdict(list))
    crossed: list[WornKey] = field(default_factory=list)
    parted: list[Parted] = field(default_factory=list)
    unsettled: list[Unsettled] = field(default_factory=list)
    circles: dict[int, Circle] = field(default_factory=dict)
    lost: dict[Identifier, float] = field(default_factory=dict)
    shared: list[tuple[Id, int]] = field(default_factory=list)
    """Records and the keys of identifiers that are shared, where the store does not know of it yet."""


def blocks_of(new: KeyedRecords, store: IdentityStore, policy: Policy) -> Blocks:
    """Pairs of a new record and any other that share keys which still tell people apart, and enough of them."""
    found = Blocks()
    filed = Filed.of(new)
    if not filed.keys:
        return found
    numbers = filed.distinct.tolist()
    held = store.holders(numbers)
    standing = [held.get(number, _NOBODY) for number in numbers]
    limits = _Limits(new, policy, store.secret)
    kinds = np.array([key.kind for key in filed.keys])[filed.order[filed.starts]]
    holding = filed.counts + np.array([one.told for one in standing])
    worn = np.array([one.step for one in standing]) > 0
    meeting = np.ones(len(numbers), np.bool_)
    for n in np.flatnonzero(worn | (holding > limits.first[kinds])).tolist():
        key = filed.keys[filed.places(n)[0]]
        judged = limits.judge(key, standing[n], filed.mine(n))
        if judged is not None:
            _note(found, judged)
            meeting[n] = judged.step < OVERFULL
            worn[n] |= judged.step > 0
    many = meeting & (kinds == _IDENTIFIER) & (holding > policy.holders_compared.all)
    circles = {}
    if many.any():
        blocks = np.flatnonzero(many).tolist()
        circles = _seat(found, filed, blocks, standing, worn, limits.likeness, policy.holders_compared, store)
    found.pairs = meet(filed, [one.holders for one in standing], meeting, circles)
    return found


def _note(found: Blocks, worn: WornKey) -> None:
    if worn.step > worn.before:
        found.crossed.append(worn)
    if worn.step == OVERFULL:
        for r in worn.mine:
            found.overfull[r].append(worn.key)
    if worn.identifier is None:
        return
    found.lost[worn.identifier] = worn.lost
    known = () if worn.before else (r for r, *_ in worn.holders)
    found.shared += [(r, worn.key.key) for r in (*known, *worn.mine)]


def _seat(
    found: Blocks,
    filed: Filed,
    many: Sequence[int],
    held: Sequence[Held],
    worn: NDArray[np.bool_],
    likeness: Callable[[Id], int],
    compared: HoldersCompared,
    store: IdentityStore,
) -> dict[int, Circle]:
    """The circles of blocks that many share, and which stored records do not meet there any more."""
    holders = {n: unpack(held[n].holders) for n in many}
    mine = {n: filed.mine(n) for n in many}
    standing = sides_of(records_of(holders.values()).union(*mine.values()), store)
    circles = {}
    for n in many:
        key = filed.keys[filed.places(n)[0]].key
        before = {h.record: (h.likeness, standing.get(h.record)) for h in holders[n]}
        after = before | {r: (likeness(r), standing.get(r)) for r in mine[n]}
        circle = Circle(after, compared, speaks=not worn[n])
        stood = frozenset(Circle(before, compared, speaks=True).pairs())
        stands = frozenset(pair for pair in circle.pairs() if pair[0] in before and pair[1] in before)
        if stood != stands:
            found.parted.append(Parted(key, stood - stands, stands - stood))
        circles[n] = found.circles[key] = circle
    return circles


class _Limits:
    """Judges keys by the policy's limits."""

    def __init__(self, new: KeyedRecords, policy: Policy, secret: bytes) -> None:
        self._new, self._policy, self._secret = new, policy, secret
        fewest = min(p.customers_per_identifier for p in policy.identifiers.values())
        self.first = np.zeros(max(MatchKeyKind) + 1, np.int64)
        self.first[list(policy.block_caps)] = list(policy.block_caps.values())
        self.first[_IDENTIFIER] = min(fewest, policy.block_caps[_IDENTIFIER])
        """By kind: so many records under a key are below any limit."""
        self._tags: dict[Id, int] = {}

    def judge(self, key: MatchKey, standing: Held, mine: Sequence[Id]) -> WornKey | None:
        """The key with its wear; None where it has none. Only for keys that more records share than `first`, or that
        are worn already."""
        before, lost, packed = standing
        cap = self._policy.block_caps[key.kind]
        holders, full = unpack(packed), before == OVERFULL or standing.told + len(mine) > cap
        worn = partial(WornKey, key, before, holders=holders, mine=tuple(mine))
        if key.kind is not _IDENTIFIER:
            reason = ReasonCode.BLOCK_OVERFULL
            return worn(OVERFULL, lost=0.0, people=0, identifier=None, reason=reason) if full else None
        identifier = self._identifier(key.key, self._new[mine[0]][0])
        # of a key made with an older secret nothing is known but how many hold it
        limit = sharing_limit(identifier.type, self._policy) if identifier else cap
        named = 0 if before == OVERFULL else self._people(holders, mine)
        reason = ReasonCode.BLOCK_OVERFULL if full else ReasonCode.SHARED_IDENTIFIER
        step = OVERFULL if full else max(before, step_of(named, limit))
        if not step:
            return None
        lost = lost if step == before else bits_lost(step, limit)
        return worn(step, lost=lost, people=named, identifier=identifier, reason=reason)

    def likeness(self, record: Id) -> int:
        """What a new record says of a person."""
        return likeness_number(self._new[record][0].traits, self._secret)

    def _identifier(self, key: int, record: IdentityRecord) -> Identifier | None:
        return next((meeting(i) for i in record.identifiers if identifier_key(i, self._secret) == key), None)

    def _people(self, holders: Iterable[Holder], mine: Iterable[Id]) -> int:
        tags = {holder.person for holder in holders}
        tags.update(self._tag(r) for r in mine)
        return people(of_tag(tag) for tag in tags)

    def _tag(self, record: Id) -> int:
        if record not in self._tags:
            self._tags[record] = person_tag(self._new[record][0].traits, self._secret)
        return self._tags[record]
