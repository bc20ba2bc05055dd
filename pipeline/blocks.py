"""The match keys of new records: which bring candidates together, and which crossed a limit by these very records.

Counts only grow, so a key passes each of its steps once (pipeline/identity/sharing.py). Its limits are judged over all
records that hold it, those of the batch included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.codes import ReasonCode
from pipeline.identity.blocking import identifier_key
from pipeline.identity.candidates import kinds_of, worth_comparing
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
from pipeline.ports import Held, Holder, IdentityStore

_NOBODY = Held(0, 0.0, ())
_POSITIONS = max(MatchKeyKind) + 1
_KINDS = (1 << _POSITIONS) - 1
_IDENTIFIER = MatchKeyKind.IDENTIFIER
Pair = tuple[Id, Id]
_Block = tuple[Sequence[Holder], Sequence[Id]]
"""Who holds a key: stored records, and new ones."""


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


@dataclass(slots=True)
class Blocks:
    """What blocking makes of the new records.

    `pairs` are candidates: a new record, and which of its keys it shares, as a bit set (kinds, then positions). `lost`
    are the bits that agreement on identifiers of new records has lost by now, `held` who holds which of their keys.
    """

    pairs: dict[Pair, tuple[Id, int]] = field(default_factory=dict)
    overfull: defaultdict[Id, list[MatchKey]] = field(default_factory=lambda: defaultdict(list))
    crossed: list[WornKey] = field(default_factory=list)
    lost: dict[Identifier, float] = field(default_factory=dict)
    shared: list[tuple[Id, int]] = field(default_factory=list)
    """Records and the keys of identifiers that are shared, where the store does not know of it yet."""


def blocks_of(new: KeyedRecords, store: IdentityStore, policy: Policy) -> Blocks:
    """Pairs of a new record and any other that share keys which still tell people apart, and enough of them."""
    # by numbers: an enum's hash is Python
    local: defaultdict[int, list[Id]] = defaultdict(list)
    kinds: dict[int, MatchKeyKind] = {}
    for r, (_, keys) in new.items():
        for kind, key in keys:
            local[key].append(r)
            kinds[key] = kind
    stored = store.holders({key: policy.block_caps[kind] for key, kind in kinds.items()}) if kinds else {}
    found = Blocks()
    limits = _Limits(new, policy, store.secret)
    blocks: dict[int, _Block] = {}
    for key, mine in local.items():
        standing = stored.get(key, _NOBODY)
        if not standing.holders and len(mine) == 1 and not standing.step:
            continue
        worn = limits.judge(MatchKey(kinds[key], key), standing, mine)
        if worn is not None:
            _note(found, worn)
        if worn is None or worn.step < OVERFULL:
            blocks[key] = standing.holders, mine
    _meet(found.pairs, new, blocks)
    return found


def _meet(pairs: dict[Pair, tuple[Id, int]], new: KeyedRecords, blocks: Mapping[int, _Block]) -> None:
    """New records meet the stored ones and each other under their keys, one record at a time.

    A record shares some key with hundreds, and nearly all of them are not worth a comparison: one record at a time,
    since the hundreds of a whole batch at once are more than a processor's cache holds.
    """
    own = {r: kinds_of(keys) for r, (_, keys) in new.items()}
    for r, (_, keys) in new.items():
        with_whom: dict[Id, int] = {}
        held: dict[Id, int] = {}
        shared = with_whom.get
        for n, (kind, key) in enumerate(keys):
            if key not in blocks:
                continue
            bits = 1 << kind | 1 << _POSITIONS + n
            holders, mine = blocks[key]
            for o, kinds, _ in holders:
                held[o] = kinds
                with_whom[o] = shared(o, 0) | bits
            for o in mine[mine.index(r) + 1 :]:
                held[o] = own[o]
                with_whom[o] = shared(o, 0) | bits
        mask = own[r]
        for o, bits in with_whom.items():
            if worth_comparing(bits & _KINDS, mask & held[o]):
                pairs[(r, o) if r < o else (o, r)] = (r, bits)


def via(pair: tuple[Id, int], new: KeyedRecords) -> tuple[MatchKey, ...]:
    """The keys by which a candidate pair was found, of a value of `Blocks.pairs`."""
    r, bits = pair
    return tuple(key for n, key in enumerate(new[r][1]) if bits >> _POSITIONS + n & 1)


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


class _Limits:
    """Judges keys by the policy's limits."""

    def __init__(self, new: KeyedRecords, policy: Policy, secret: bytes) -> None:
        self._new, self._policy, self._secret = new, policy, secret
        self._fewest = min(p.customers_per_identifier for p in policy.identifiers.values())
        self._tags: dict[Id, int] = {}

    def judge(self, key: MatchKey, standing: Held, mine: Sequence[Id]) -> WornKey | None:
        """The key with its wear; None where it has none."""
        before, lost, holders = standing
        cap = self._policy.block_caps[key.kind]
        count = len(holders) + len(mine)
        full = before == OVERFULL or count > cap
        if key.kind is not _IDENTIFIER:
            return (
                WornKey(
                    key,
                    before,
                    OVERFULL,
                    0.0,
                    0,
                    None,
                    ReasonCode.BLOCK_OVERFULL,
                    tuple(holders),
                    tuple(mine),
                )
                if full
                else None
            )
        if not full and not before and count <= self._fewest:
            return None
        identifier = self._identifier(key.key, self._new[mine[0]][0])
        # of a key made with an older secret nothing is known but how many hold it
        limit = sharing_limit(identifier.type, self._policy) if identifier else cap
        named = 0 if before == OVERFULL else self._people(holders, mine)
        reason = ReasonCode.BLOCK_OVERFULL if full else ReasonCode.SHARED_IDENTIFIER
        step = OVERFULL if full else max(before, step_of(named, limit))
        if not step:
            return None
        lost = lost if step == before else bits_lost(step, limit)
        return WornKey(key, before, step, lost, named, identifier, reason, tuple(holders), tuple(mine))

    def _identifier(self, key: int, record: IdentityRecord) -> Identifier | None:
        return next((meeting(i) for i in record.identifiers if identifier_key(i, self._secret) == key), None)

    def _people(self, holders: Iterable[Holder], mine: Iterable[Id]) -> int:
        tags = {tag for _, _, tag in holders}
        tags.update(self._tag(r) for r in mine)
        return people(of_tag(tag) for tag in tags)

    def _tag(self, record: Id) -> int:
        if record not in self._tags:
            self._tags[record] = person_tag(self._new[record][0].traits, self._secret)
        return self._tags[record]
