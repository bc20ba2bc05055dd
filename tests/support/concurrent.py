"""The identity store in memory as several transactions see it: READ COMMITTED, with Postgres' locks, step by step.

Each read, each lock and each end is a step of `tests/support/interleavings.py`. What a transaction writes is seen when
it ends, all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from pipeline.errors import TransactionConflict
from pipeline.identity.consent import Statement
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, IdentityRecord, RecordActivity
from pipeline.identity.policy import Policy
from pipeline.identity.settle import ProfileRow, Settlement, settle
from pipeline.matching import Arrival, Found, gather, known_behind_locks
from pipeline.ports import Evidence, Grounds, Held, Known, Standing
from pipeline.store.identity_store import KEY_STRIPES
from pipeline.store.memory import MemoryIdentityStore
from tests.support.ids import numbered
from tests.support.interleavings import Kind, Step, Worker
from tests.support.people import START, Person, model

ATTEMPTS = 6
"""Each try but the last lost a race to a transaction that ended; there are never as many."""


class InTransaction:
    """An `IdentityStore` of one transaction over what is committed."""

    def __init__(self, committed: MemoryIdentityStore, worker: Worker) -> None:
        self._committed = committed
        self._worker = worker
        self.put: list[Constraint] = []
        self.revoked: list[Constraint] = []
        self._held: set[Hashable] = set()

    @property
    def secret(self) -> bytes:
        return self._committed.secret

    def _at(self, kind: Kind, what: Hashable = None) -> set[Hashable]:
        step = Step(kind, what)
        self._worker.at(step)
        return step.touches

    def _read(self, table: str, things: Iterable[Hashable]) -> MemoryIdentityStore:
        self._at(Kind.READ).update((table, thing) for thing in things)
        return self._committed

    def _lock(self, table: str, things: Iterable[Hashable]) -> None:
        """What is held already is no step: nobody can come between, and the race is about the first time."""
        for what in ((table, thing) for thing in things):
            if what not in self._held:
                self._at(Kind.LOCK, what)
                self._held.add(what)

    def known(self, seen: Mapping[Id, RecordActivity]) -> dict[Id, Known]:
        if not seen:
            return {}
        touches = self._at(Kind.READ)
        found = self._committed.known(seen)
        touches.update(
            *((("record", r),) for r in seen), *((("profile", k.profile_id),) for k in found.values())
        )
        return found

    def consent(self, records: Collection[Id]) -> Mapping[Id, frozenset[Statement]]:
        return self._read("record", records).consent(records) if records else {}

    def new_products(self, products: Mapping[Id, frozenset[int]]) -> frozenset[Id]:
        return self._read("record", products).new_products(products) if products else frozenset()

    def open_pairs(self, records: Collection[Id]) -> list[tuple[Id, Id]]:
        self._at(Kind.READ).update(self._evidence(records))
        return self._committed.open_pairs(records)

    def _evidence(self, records: Iterable[Id]) -> Iterator[Hashable]:
        """The evidence of records, and where its ends stand."""
        for r in records:
            yield "evidence", r
            for e in self._committed.evidence([r]):
                yield from (("record", e.edge.low), ("record", e.edge.high))

    def lock_keys(self, keys: Collection[int]) -> None:
        self._lock("stripe", sorted({key % KEY_STRIPES for key in keys}))

    def holders(self, keys: Collection[int]) -> dict[int, Held]:
        return self._read("key", keys).holders(keys)

    def overfull_among(self, keys: Collection[int]) -> frozenset[int]:
        return self._read("key", keys).overfull_among(keys)

    def grounds(self, records: Collection[Id]) -> list[Grounds]:
        return self._read("evidence", records).grounds(records)

    def contents(self, records: Collection[Id]) -> dict[Id, IdentityRecord]:
        return self._read("record", records).contents(records) if records else {}

    def reach(
        self, profiles: Collection[Id], auto_merge: float, review: float, most: int
    ) -> tuple[frozenset[Id], frozenset[Id]]:
        touches = self._at(Kind.READ)
        inner, fringe = self._committed.reach(profiles, auto_merge, review, most)
        members = self._committed.members(inner)
        touches.update(("members", p) for p in inner)
        touches.update(("constraint", r) for r in members)
        touches.update(self._evidence(members))
        return inner, fringe

    def lock_profiles(self, profiles: Collection[Id]) -> dict[Id, ProfileRow]:
        if not profiles:
            return {}
        stored = self._read("profile", profiles).profiles
        known = [p for p in sorted(profiles) if p in stored]
        self._lock("profile", known)
        return self._read("profile", known).lock_profiles(known)

    def members(self, profiles: Collection[Id]) -> frozenset[Id]:
        return self._read("members", profiles).members(profiles)

    def lock_records(self, records: Collection[Id]) -> None:
        if records:
            stored = self._read("record", records).records
            self._lock("record", [r for r in sorted(records) if r in stored])

    def standing(self, records: Collection[Id]) -> dict[Id, Standing]:
        return self._read("record", records).standing(records) if records else {}

    def evidence(self, records: Collection[Id]) -> list[Evidence]:
        self._at(Kind.READ).update(self._evidence(records))
        return self._committed.evidence(records)

    def constraints(self, records: Collection[Id]) -> Sequence[Constraint]:
        named = frozenset(records)
        found = list(self._read("constraint", records).constraints(records))
        for gone in self.revoked:
            if gone in found:
                found.remove(gone)  # another one may say the same
        return [*found, *(c for c in self.put if (c.left | c.right) & named)]

    def abort(self) -> None:
        """End it without effect."""
        self._at(Kind.ABORT)

    def commit(
        self,
        found: Found,
        settlement: Settlement,
        new: Mapping[Id, Arrival],
        known: Mapping[Id, Arrival],
    ) -> None:
        """Write, all at once. What was decided on must stand as it stood."""
        touches = self._at(Kind.COMMIT)
        stored = self._committed.records
        assert stored.keys().isdisjoint(new), "a record was stored before"
        assert all(stored[r].profile_id == k.profile_id for r, k in found.known.items()), "a record moved"
        homes = {r: s.profile_id for r, s in self._committed.standing({*known, *settlement.moves}).items()}
        profiles = {*settlement.profiles, *settlement.held, *homes.values(), *settlement.moves.values()}
        pairs = [(e.low, e.high) for e in found.edges] + list(found.dropped)
        shared = [r for w in found.crossed for r in (*w.mine, *(h.record for h in w.holders))]
        for table, things in (
            ("record", {*new, *known, *settlement.moves, *shared}),
            ("profile", profiles),
            ("members", profiles),
            ("evidence", {r for pair in pairs for r in pair}),
            ("key", {k.key for a in new.values() for k in a.keys} | {w.key.key for w in found.crossed}),
            ("constraint", {r for c in (*self.put, *self.revoked) for r in c.left | c.right}),
        ):
            touches.update((table, thing) for thing in things)
        self._committed.rules += self.put
        for gone in self.revoked:
            self._committed.rules.remove(gone)
        self._committed.write(found, settlement, new, known)


@dataclass(slots=True)
class ActInMemory:
    """What an act decides with (`pipeline.steward.Deciding`)."""

    store: MemoryIdentityStore | InTransaction
    _rules: Policy
    _new_id: Callable[[], Id]
    _put: list[Constraint] = field(default_factory=list)

    def constrain(self, constraint: Constraint, review_id: Id | None = None) -> None:
        if isinstance(self.store, InTransaction):
            self.store.put.append(constraint)
        else:
            self.store.rules.append(constraint)
        self._put.append(constraint)

    def heed(self, constraints: Iterable[Constraint]) -> None:
        self._put += constraints

    def revoke(self, constraints: Iterable[Constraint]) -> None:
        """Constraints that stand no longer; they are to be heeded."""
        for gone in constraints:
            if isinstance(self.store, InTransaction):
                self.store.revoked.append(gone)
            else:
                self.store.rules.remove(gone)

    def gather(self, profiles: frozenset[Id]) -> Found:
        return gather({}, {}, {}, self.store, model(), self._rules, also=profiles, put=tuple(self._put))

    def settle(
        self,
        found: Found,
        claims: Mapping[Id, frozenset[Id]] | None = None,
        release: frozenset[Id] = frozenset(),
        hold: frozenset[Id] = frozenset(),
    ) -> Settlement:
        return settle(found.neighbourhood, model(), self._rules, self._new_id, START, claims, release, hold)


Decide = Callable[[ActInMemory], tuple[Found, Settlement]]


@dataclass(slots=True)
class World:
    """What is committed, and how it comes about. `conflicts` counts transactions that lost a race."""

    rules: Policy
    store: MemoryIdentityStore
    conflicts: int = 0
    _ids: count[int] = field(default_factory=lambda: count(1))

    def new_id(self) -> Id:
        """The next one."""
        return numbered(next(self._ids))

    def resolving(self, *people: Person) -> Callable[[Worker], None]:
        """A resolve worker with a batch of these records."""
        return lambda worker: self._until_done(worker, lambda store: self._resolve(store, people))

    def acting(self, decide: Decide) -> Callable[[Worker], None]:
        """A steward's act."""

        def attempt(store: InTransaction) -> None:
            found, settlement = decide(ActInMemory(store, self.rules, self.new_id))
            store.commit(found, settlement, {}, {})

        return lambda worker: self._until_done(worker, attempt)

    def _until_done(self, worker: Worker, attempt: Callable[[InTransaction], None]) -> None:
        for _ in range(ATTEMPTS):
            store = InTransaction(self.store, worker)
            try:
                attempt(store)
                return
            except TransactionConflict:
                store.abort()
                self.conflicts += 1
        raise AssertionError("it lost more races than there were transactions")

    def _resolve(self, store: InTransaction, people: Sequence[Person]) -> None:
        """The steps of the resolve stage."""
        arrivals: dict[Id, Arrival] = {p.record_id: p.arrival for p in people}

        def keys_of(records: Collection[Id]) -> list[int]:
            return [k.key for r in records for k in arrivals[r].keys]

        seen = known_behind_locks({r: a.activity for r, a in arrivals.items()}, keys_of, store)
        known = {r: arrivals[r] for r in seen}
        new = {r: a for r, a in arrivals.items() if r not in seen}
        found = gather(new, known, seen, store, model(), self.rules)
        settlement = settle(found.neighbourhood, model(), self.rules, self.new_id, START)
        store.commit(found, settlement, new, known)
