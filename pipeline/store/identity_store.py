"""The identity store on Postgres: the reads and locks that matching asks for, each one set-based query."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from pipeline.codes import ReasonCode
from pipeline.identity.blocking import identifier_key
from pipeline.identity.consent import Statement
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Comparison,
    Constraint,
    ConstraintKind,
    Edge,
    IdentityRecord,
    MatchKey,
    RecordActivity,
)
from pipeline.identity.normalize import deserialize
from pipeline.identity.settle import ProfileRow
from pipeline.identity.sharing import OVERFULL, meeting, shared_of
from pipeline.match_keys import unpack_match_keys
from pipeline.ports import Evidence, Grounds, Held, Known, Standing
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import open_sealed
from pipeline.store.consent import said_by_way_of
from pipeline.store.database import Transaction
from pipeline.store.key_versions import KeyVersions, key_versions

KEY_STRIPES = 4096
_UNWORN = Held(0, 0.0, b"")
_STRIPE_LOCK = 0x5242  # the first of the two numbers of our advisory locks


def record_context(record_id: Id) -> bytes:
    """What an identity record's ciphertext is bound to."""
    return b"identity_record:sealed:" + record_id


def open_record(ring: KeyRing, record_id: Id, sealed: bytes, wrapped: bytes, version: int) -> IdentityRecord:
    """A stored record in the clear, without products. Raises SealBroken, ConfigurationError."""
    key = ring.unwrap(wrapped, version, record_id)
    return IdentityRecord(record_id, *deserialize(open_sealed(key, sealed, record_context(record_id))))


class RecordCache:
    """Opened records, without products, by id; the least recently used go first. Content never changes."""

    def __init__(self, ring: KeyRing, size: int) -> None:
        self.ring = ring
        self._size = size
        self._records: OrderedDict[Id, IdentityRecord] = OrderedDict()

    def get(self, records: Collection[Id], tx: Transaction) -> dict[Id, IdentityRecord]:
        """The opened records; those without a data key are missing."""
        found: dict[Id, IdentityRecord] = {}
        missing = []
        for r in records:
            record = self._records.get(r)
            if record is None:
                missing.append(r)
            else:
                self._records.move_to_end(r)
                found[r] = record
        if missing:
            for record_id, sealed, wrapped, version in tx.rows("sealed_records", (missing,)):
                found[record_id] = self.put(open_record(self.ring, record_id, sealed, wrapped, version))
        return found

    def put(self, record: IdentityRecord) -> IdentityRecord:
        """Remember an opened record."""
        self._records[record.record_id] = record
        while len(self._records) > self._size:
            self._records.popitem(last=False)
        return record


class OverfullKeys:
    """Match keys that were read as over-full, with the bits that agreement on them lost: they stay so, and busy stages
    meet the same ones with every record. No more than `size`; those that came first go first.

    They stay so unless Postgres goes back, as where a standby that lags takes over: then the session is another.
    """

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._lost: dict[int, float] = {}
        self._session: object | None = None

    def of(self, session: object) -> OverfullKeys:
        """Itself; what was learnt in another session is forgotten."""
        if session is not self._session:
            self._lost.clear()
            self._session = session
        return self

    def among(self, keys: Iterable[int]) -> dict[int, Held]:
        """Those of the keys that are known to be over-full."""
        return {key: Held(OVERFULL, self._lost[key], b"") for key in keys if key in self._lost}

    def learn(self, held: Mapping[int, Held]) -> None:
        """Remember those that are over-full among keys as they were read."""
        self._lost |= {key: h.lost for key, h in held.items() if h.step == OVERFULL}
        while len(self._lost) > self._size:
            del self._lost[next(iter(self._lost))]


class PostgresIdentityStore:
    """An `IdentityStore` inside one transaction. `meanwhile` is called while the server looks for the holders of keys,
    which takes it longest: for work that needs no server."""

    def __init__(
        self,
        tx: Transaction,
        cache: RecordCache,
        overfull: OverfullKeys | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        versions: KeyVersions | None = None,
    ) -> None:
        """`versions`: of the keys, read where nobody says."""
        self._tx = tx
        self._cache = cache
        self._overfull = overfull or OverfullKeys()
        self._meanwhile = meanwhile
        self._versions = versions

    @property
    def versions(self) -> KeyVersions:
        """Under which versions of the keys hashes stand."""
        if self._versions is None:
            self._versions = key_versions(self._tx, self._cache.ring)
        return self._versions

    @property
    def secret(self) -> bytes:
        return self._cache.ring.hash_keys(self.versions.looked_up).match

    def known(self, seen: Mapping[Id, RecordActivity]) -> dict[Id, Known]:
        if not seen:
            return {}
        last = [a.last_seen for a in seen.values()]
        sources = [",".join(a.sources) for a in seen.values()]
        rows = self._tx.rows("known_records", (list(seen), last, sources))
        return {record: Known(*stands) for record, *stands in rows}

    def new_products(self, products: Mapping[Id, frozenset[int]]) -> frozenset[Id]:
        pairs = [(r, p) for r, bought in products.items() for p in bought]
        if not pairs:
            return frozenset()
        return frozenset(
            r for r, _ in self._tx.rows("new_products", tuple(map(list, zip(*pairs, strict=True))))
        )

    def open_pairs(self, records: Collection[Id]) -> list[tuple[Id, Id]]:
        return [(low, high) for low, high in self._tx.rows("open_pairs", {"records": list(records)})]

    def lock_keys(self, keys: Collection[int]) -> None:
        # under an over-full key nobody meets
        stripes = sorted({key % KEY_STRIPES for key in set(keys) - self._overfull.among(keys).keys()})
        if stripes:
            self._tx.run("lock_key_stripes", (_STRIPE_LOCK, stripes))

    def holders(self, keys: Collection[int]) -> dict[int, Held]:
        held = self._overfull.among(keys)
        asked = list(set(keys) - held.keys())
        worn = {key: Held(step, lost, b"") for key, step, lost in self._tx.rows("worn_keys", (asked,))}
        self._overfull.learn(worn)
        held |= worn
        asked = [key for key in asked if key not in worn or worn[key].step < OVERFULL]
        for key, packed in self._tx.rows_meanwhile("key_holders", (asked,), self._meanwhile):
            step, lost, _ = held.get(key, _UNWORN)
            held[key] = Held(step, lost, packed)
        return held

    def overfull_among(self, keys: Collection[int]) -> frozenset[int]:
        return frozenset(key for (key,) in self._tx.rows("overfull_keys", (list(keys),)))

    def grounds(self, records: Collection[Id]) -> list[Grounds]:
        rows = self._tx.rows("grounds_among", {"records": list(records)})
        via = [unpack_match_keys(row[-1]) for row in rows]
        if self.versions.leaving is not None:
            via = renamed_keys(self._tx, via)
        return [Grounds(_edge(*row[:-1]), keys) for row, keys in zip(rows, via, strict=True)]

    def contents(self, records: Collection[Id]) -> dict[Id, IdentityRecord]:
        if not records:
            return {}
        opened = self._cache.get(records, self._tx)
        for r, bought, keys, lost in self._tx.rows("known_beside_content", {"records": list(opened)}):
            if bought is not None:
                opened[r] = opened[r].having_bought(frozenset(bought))
            else:
                opened[r] = self._marked(opened[r], dict(zip(keys, lost, strict=True)))
        return opened

    def _marked(self, record: IdentityRecord, lost: Mapping[int, float]) -> IdentityRecord:
        """The record with those of its identifiers marked that are shared."""
        keys = {meeting(i): identifier_key(i, self.secret) for i in record.identifiers}
        by_identifier = {i: lost[key] for i, key in keys.items() if key in lost}
        return record.sharing(shared_of(record.identifiers, by_identifier))

    def reach(
        self, profiles: Collection[Id], auto_merge: float, review: float, most: int
    ) -> tuple[frozenset[Id], frozenset[Id]]:
        """Step by step, and not by a recursive query: the planner would read whole tables for it."""
        reached: set[Id] = set()
        fringe: set[Id] = set()
        step = set(profiles)
        while step and len(reached) <= most:
            reached |= step
            near = self._tx.rows("neighbours", {"profiles": list(step), "least": review})
            tied = self._tx.rows("must_linked", {"profiles": list(step)})
            fringe.update(p for p, _ in near)
            step = {p for p, best in near if best >= auto_merge} | {p for (p,) in tied}
            step -= reached
        return frozenset(reached), frozenset(fringe - reached)

    def lock_profiles(self, profiles: Collection[Id]) -> dict[Id, ProfileRow]:
        if not profiles:
            return {}
        return {
            profile: ProfileRow(profile, version, created, merged, winners(golden), held)
            for profile, version, created, merged, golden, held in self._tx.rows(
                "lock_profiles", (list(profiles),)
            )
        }

    def members(self, profiles: Collection[Id]) -> frozenset[Id]:
        return frozenset(r for (r,) in self._tx.rows("members", (list(profiles),)))

    def lock_records(self, records: Collection[Id]) -> None:
        if records:
            self._tx.run("lock_records", (list(records),))

    def standing(self, records: Collection[Id]) -> dict[Id, Standing]:
        if not records:
            return {}
        return {
            record: Standing(profile, RecordActivity(first, last, tuple(sources)))
            for record, profile, first, last, sources in self._tx.rows("standing_records", (list(records),))
        }

    def consent(self, records: Collection[Id]) -> Mapping[Id, frozenset[Statement]]:
        return said_by_way_of(self._tx, records)

    def evidence(self, records: Collection[Id]) -> list[Evidence]:
        return [
            Evidence(_edge(low, high, weight, confidence, veto), low_profile, high_profile)
            for low, high, weight, confidence, veto, low_profile, high_profile in self._tx.rows(
                "evidence_of", {"records": list(records)}
            )
        ]

    def constraints(self, records: Collection[Id]) -> Sequence[Constraint]:
        return [
            Constraint(ConstraintKind(kind), frozenset(left), frozenset(right))
            for kind, left, right in self._tx.rows("constraints_of", {"records": list(records)})
        ]


def renamed_keys(tx: Transaction, keys: Sequence[Sequence[MatchKey]]) -> list[tuple[MatchKey, ...]]:
    """Match keys that evidence was found by, as they are called since a rotation."""
    asked = {key.key for some in keys for key in some}
    new: dict[int, int] = dict(tx.rows("rekeyed_among", (list(asked),)))
    return [tuple(sorted(MatchKey(k.kind, new.get(k.key, k.key)) for k in some)) for some in keys]


def _edge(low: Id, high: Id, weight: float, confidence: float, veto: str | None) -> Edge:
    return Edge(low, high, Comparison(weight, confidence, (), ReasonCode(veto) if veto else None))


def winners(golden: Mapping[str, str]) -> dict[str, Id]:
    """A golden record as it is stored: the winning record of each attribute."""
    records = {r: Id.parse(r) for r in set(golden.values())}  # few records win many attributes
    return {attribute: records[r] for attribute, r in golden.items()}
