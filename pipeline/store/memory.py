"""The identity store in memory: for tests of the core's properties and for runs without servers.

Held to the Postgres one's behaviour by tests/contract/test_identity_store.py. One thread, so locks are no-ops.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pipeline.holders import Holder, pack
from pipeline.identity.candidates import kinds_of
from pipeline.identity.consent import Statement, newest
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Comparison,
    Constraint,
    ConstraintKind,
    Edge,
    IdentityRecord,
    MatchKey,
    Proposal,
    RecordActivity,
    Review,
)
from pipeline.identity.settle import ProfileRow, Settlement, StoredRecord
from pipeline.identity.sharing import OVERFULL, person_tag, shared_of
from pipeline.identity.twins import likeness_number
from pipeline.matching import Arrival, Found, fold_activity, with_products
from pipeline.ports import Evidence, Grounds, Held, Known, Standing


class MemoryIdentityStore:
    """An `IdentityStore` of dictionaries. `write` takes what the Postgres writer takes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.profiles: dict[Id, ProfileRow] = {}
        self.records: dict[Id, StoredRecord] = {}
        self.reviews: dict[tuple[Id, Id], Review] = {}
        self.proposals: dict[Id, Proposal] = {}
        self.rules: list[Constraint] = []
        self._contested: set[Id] = set()
        self._members: defaultdict[Id, set[Id]] = defaultdict(set)
        self._keys: defaultdict[int, bytearray] = defaultdict(bytearray)
        self._worn: dict[int, tuple[int, float]] = {}
        self._via: dict[tuple[Id, Id], tuple[MatchKey, ...]] = {}
        self._consent: dict[Id, frozenset[Statement]] = {}
        self._edges: dict[tuple[Id, Id], Edge] = {}
        self._edges_of: defaultdict[Id, set[tuple[Id, Id]]] = defaultdict(set)

    @property
    def secret(self) -> bytes:
        return self._secret

    def _home(self, record: Id) -> Id:
        home = self.records[record].profile_id
        assert home is not None
        return home

    def known(self, seen: Mapping[Id, RecordActivity]) -> dict[Id, Known]:
        return {r: self._known(r, activity) for r, activity in seen.items() if r in self.records}

    def _known(self, record: Id, seen: RecordActivity) -> Known:
        home, before = self._home(record), self.records[record].activity
        others = (self.records[o].activity.last_seen for o in self._members[home] if o != record)
        later = seen.last_seen > before.last_seen
        overtakes = later and any(before.last_seen <= o <= seen.last_seen for o in others)
        return Known(
            home,
            self.profiles[home].version,
            home in self._contested and (overtakes or not set(seen.sources) <= set(before.sources)),
        )

    def new_products(self, products: Mapping[Id, frozenset[int]]) -> frozenset[Id]:
        return frozenset(
            r
            for r, bought in products.items()
            if r not in self.records or bought - self.records[r].record.products
        )

    def open_pairs(self, records: Collection[Id]) -> list[tuple[Id, Id]]:
        pairs = {pair for r in records for pair in self._edges_of[r]}
        return [(low, high) for low, high in pairs if self._home(low) != self._home(high)]

    def lock_keys(self, keys: Collection[int]) -> None:
        """Nothing to keep out."""

    def holders(self, keys: Collection[int]) -> dict[int, Held]:
        return {key: self._held(key) for key in keys if key in self._keys or key in self._worn}

    def _held(self, key: int) -> Held:
        step, lost = self._worn.get(key, (0, 0.0))
        return Held(step, lost, b"" if step == OVERFULL else bytes(self._keys[key]))

    def overfull_among(self, keys: Collection[int]) -> frozenset[int]:
        return frozenset(key for key in keys if self._worn.get(key, (0, 0.0))[0] == OVERFULL)

    def grounds(self, records: Collection[Id]) -> list[Grounds]:
        named = frozenset(records)
        pairs = {pair for r in named for pair in self._edges_of[r] if named.issuperset(pair)}
        return [Grounds(_bare(self._edges[pair]), self._via[pair]) for pair in pairs]

    def contents(self, records: Collection[Id]) -> dict[Id, IdentityRecord]:
        return {r: self.records[r].record for r in records if r in self.records}

    def reach(
        self, profiles: Collection[Id], auto_merge: float, review: float, most: int
    ) -> tuple[frozenset[Id], frozenset[Id]]:
        reached: set[Id] = set()
        waiting = list(profiles)
        while waiting and len(reached) <= most:
            profile = waiting.pop()
            if profile not in reached:
                reached.add(profile)
                waiting += self._neighbours(profile, auto_merge) | self._must_linked(profile)
        fringe = {n for p in reached for n in self._neighbours(p, review)} - reached
        return frozenset(reached), frozenset(fringe)

    def _neighbours(self, profile: Id, confidence: float) -> set[Id]:
        pairs = {pair for r in self._members[profile] for pair in self._edges_of[r]}
        return {
            self._home(r)
            for pair in pairs
            if self._edges[pair].comparison.confidence >= confidence
            for r in pair
        }

    def _must_linked(self, profile: Id) -> set[Id]:
        rules = (c for c in self.rules if c.kind is ConstraintKind.MUST_LINK)
        named = (c.left | c.right for c in rules if (c.left | c.right) & self._members[profile])
        return {self._home(r) for records in named for r in records if r in self.records}

    def lock_profiles(self, profiles: Collection[Id]) -> dict[Id, ProfileRow]:
        return {p: self.profiles[p] for p in profiles if p in self.profiles}

    def members(self, profiles: Collection[Id]) -> frozenset[Id]:
        return frozenset(r for p in profiles for r in self._members[p])

    def lock_records(self, records: Collection[Id]) -> None:
        """Nothing to keep out."""

    def standing(self, records: Collection[Id]) -> dict[Id, Standing]:
        return {r: Standing(self._home(r), self.records[r].activity) for r in records if r in self.records}

    def consent(self, records: Collection[Id]) -> dict[Id, frozenset[Statement]]:
        return {r: frozenset(newest(self._consent[r]).values()) for r in records if r in self._consent}

    def evidence(self, records: Collection[Id]) -> list[Evidence]:
        pairs = {pair for r in records for pair in self._edges_of[r]}
        return [
            Evidence(_bare(self._edges[low, high]), self._home(low), self._home(high)) for low, high in pairs
        ]

    def constraints(self, records: Collection[Id]) -> Sequence[Constraint]:
        named = frozenset(records)
        return [c for c in self.rules if (c.left | c.right) & named]

    def write(
        self,
        found: Found,
        settlement: Settlement,
        new: Mapping[Id, Arrival],
        known: Mapping[Id, Arrival],
    ) -> None:
        """Store what a batch changed."""
        for r, arrival in (*known.items(), *new.items()):
            if said := arrival.consent | self._consent.get(r, frozenset()):
                self._consent[r] = said
        for r, arrival in known.items():
            stored = self.records[r]
            self.records[r] = replace(
                stored,
                record=with_products(stored.record, arrival.products),
                activity=fold_activity(stored.activity, arrival.activity),
            )
        for r, arrival in new.items():
            self.records[r] = found.neighbourhood.records[r]
            traits = self.records[r].record.traits
            person, likeness = person_tag(traits, self._secret), likeness_number(traits, self._secret)
            holder = pack(Holder(r, kinds_of(arrival.keys), person, likeness))
            for key in {k.key for k in arrival.keys} - {k.key for k in found.overfull.get(r, ())}:
                self._keys[key] += holder
        for r, profile in settlement.moves.items():
            before = self.records[r].profile_id
            if before is not None:
                self._members[before].discard(r)
            self._members[profile].add(r)
            self.records[r] = replace(self.records[r], profile_id=profile)
        self._write_evidence(found)
        for p in settlement.profiles.values():
            (self._contested.add if p.contested else self._contested.discard)(p.profile_id)
            before_held = p.profile_id in self.profiles and self.profiles[p.profile_id].held
            self.profiles[p.profile_id] = ProfileRow(
                p.profile_id, p.version, p.created_at, p.merged_into is not None, p.golden, before_held
            )
        for profile, held in settlement.held.items():
            self.profiles[profile] = replace(self.profiles[profile], held=held)
        for pair in [pair for pair in self.reviews if settlement.reviewed & set(pair)]:
            del self.reviews[pair]
        for profile in settlement.reviewed & self.proposals.keys():
            del self.proposals[profile]
        self.proposals |= {p.profile: p for p in settlement.proposals}
        self.reviews |= {(review.low, review.high): review for review in settlement.reviews}

    def _write_evidence(self, found: Found) -> None:
        """Evidence found and dropped, keys that crossed a limit, and the records whose identifiers are shared by it."""
        for worn in found.crossed:
            self._worn[worn.key.key] = worn.step, worn.lost
            if worn.identifier is not None:
                for r in (*(r for r, *_ in worn.holders), *worn.mine):
                    record = self.records[r].record
                    lost = {**dict(record.shared), worn.identifier: worn.lost}
                    marked = record.sharing(shared_of(record.identifiers, lost))
                    self.records[r] = replace(self.records[r], record=marked)
        for low, high in found.dropped:
            if self._edges.pop((low, high), None) is not None:
                del self._via[low, high]
                self._edges_of[low].discard((low, high))
                self._edges_of[high].discard((low, high))
        for edge in found.edges:
            self._edges[edge.low, edge.high] = edge
            if (edge.low, edge.high) in found.via:
                self._via[edge.low, edge.high] = found.via[edge.low, edge.high]
            self._edges_of[edge.low].add((edge.low, edge.high))
            self._edges_of[edge.high].add((edge.low, edge.high))

    def partition(self) -> frozenset[frozenset[Id]]:
        """The records as they are divided among profiles."""
        return frozenset(frozenset(m) for m in self._members.values() if m)


def _bare(edge: Edge) -> Edge:
    c = edge.comparison
    return Edge(edge.low, edge.high, Comparison(c.weight, c.confidence, (), c.veto))
