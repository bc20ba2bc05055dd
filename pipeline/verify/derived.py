"""Rows that follow from the records' content, against the content: each is looked at once, as it passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from math import inf
from typing import NamedTuple, TypeVar

from pipeline.identity.blocking import identifier_key, twin_keys
from pipeline.identity.candidates import kinds_of
from pipeline.identity.compare import compare, side
from pipeline.identity.hashing import record_id, signature, value_hash
from pipeline.identity.ids import Id
from pipeline.identity.model import CanonicalRecord, Comparison, Edge, IdentityRecord
from pipeline.identity.normalize import serialize
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.sharing import person_tag
from pipeline.identity.twins import likeness_number
from pipeline.privacy.keyring import KeyRing
from pipeline.store.edge_details import edge_details
from pipeline.store.key_versions import KeyVersions
from pipeline.store.stored import Stored
from pipeline.verify.fault import Fault, FaultKind
from pipeline.verify.standing import DIGITS

T = TypeVar("T")


def record_faults(stored: Stored, ring: KeyRing) -> Iterator[Fault]:
    """Records that do not open, or whose content is not what they are called by.

    Content that two people may have in common is called by its event as well, so that nothing is to be told from it.
    """
    for record in sorted(stored.broken):
        yield Fault(FaultKind.RECORD_BROKEN, {"record": str(record)})
    for own_id, (content, _) in stored.records.items():
        canonical = CanonicalRecord(content.identifiers, content.traits)
        if not canonical.is_distinct:
            continue
        should = record_id(signature(ring.naming, serialize(canonical)))
        if should != own_id:
            yield Fault(FaultKind.RECORD_ID, {"record": str(own_id)}, str(own_id), str(should))


class Rotating:
    """What a rotation makes ready, or removes, beside what records are found by; without one there is nothing."""

    def __init__(self, versions: KeyVersions, ring: KeyRing, filled_to: Id) -> None:
        """`filled_to`: all records up to this one are made ready."""
        other = versions.filling or versions.leaving
        self.other = None if other is None else ring.hash_keys(other)
        self._secret = ring.hash_keys(versions.looked_up).match
        self._filled_to = filled_to if versions.filling is not None else None

    def twins(self, content: IdentityRecord) -> dict[int, int]:
        """A record's match keys under the other version, and what each is under that which records are found by."""
        if self.other is None:
            return {}
        canonical = CanonicalRecord(content.identifiers, content.traits)
        return twin_keys(canonical, self.other.match, self._secret)

    def allows(self, stands: Set[T], should: Set[T], record: Id) -> bool:
        """Whether so much of the other version may stand: while it is made ready all of a record or nothing, and all of
        those behind us; while it goes, whatever is left."""
        if self._filled_to is None:
            return stands <= should
        return stands == should or (not stands and record > self._filled_to)


class KeyRow(NamedTuple):
    """A record's match keys; beside each the kinds of all of them as a bit set, the tag of whom it names, and the
    number of what it says of a person."""

    record: Id
    keys: Sequence[int]
    kinds: Sequence[int]
    persons: Sequence[int]
    likenesses: Sequence[int]


def match_key_faults(
    rows: Iterable[KeyRow], overfull: Set[int], stored: Stored, ring: KeyRing, rotation: Rotating
) -> Iterator[Fault]:
    """One row for each record that has keys. It may be filed under those that are over-full and need not be. Under the
    other version of a rotation it is filed as under the first, not yet or no longer where that is right."""
    left = {r: keys for r, (_, keys) in stored.records.items() if any(k.key not in overfull for k in keys)}
    secret = ring.hash_keys(stored.versions.looked_up).match
    for row in rows:
        if row.record not in stored.records:
            continue
        content, expected = stored.records[row.record]
        keys = {k.key for k in expected}
        twins = rotation.twins(content)
        there = list(zip(row.keys, row.kinds, row.persons, row.likenesses, strict=True))
        mine = [one for one in there if one[0] not in twins]
        left.pop(row.record, None)
        should = _filed(keys, kinds_of(expected), *_marks(content, secret))
        misfiled = len({key for key, *_ in mine}) < len(mine)
        misfiled |= not keys.symmetric_difference(key for key, *_ in mine) <= overfull
        if misfiled or not _marked(mine, should):
            yield Fault(FaultKind.MATCH_KEYS, {"record": str(row.record)}, _stands(mine), should)
        if rotation.other is None:
            continue
        others = [one for one in there if one[0] in twins]
        filed = {twin for twin, key in twins.items() if key in row.keys}
        should = _filed(filed, kinds_of(expected), *_marks(content, rotation.other.match))
        if not rotation.allows({key for key, *_ in others}, filed, row.record) or not _marked(others, should):
            yield Fault(FaultKind.MATCH_KEYS, {"record": str(row.record)}, _stands(others), should)
    for record, missing in left.items():
        should = {"keys": sorted({k.key for k in missing})}
        yield Fault(FaultKind.MATCH_KEYS, {"record": str(record)}, None, should)


_Filed = tuple[int, int, int, int]


def _marks(content: IdentityRecord, secret: bytes) -> tuple[int, int]:
    return person_tag(content.traits, secret), likeness_number(content.traits, secret)


def _marked(rows: Sequence[_Filed], should: Mapping[str, object]) -> bool:
    """Whether beside each key stands what should."""
    return {tuple(marks) for _, *marks in rows} <= {(should["kinds"], should["person"], should["likeness"])}


def _stands(rows: Sequence[_Filed]) -> dict[str, object]:
    greatest = [max(column) for column in zip(*rows, strict=True)] or [0, 0, 0, 0]
    return _filed((key for key, *_ in rows), *greatest[1:])


def _filed(keys: Iterable[int], kinds: int, person: int, likeness: int) -> dict[str, object]:
    return {"keys": sorted(keys), "kinds": kinds, "person": person, "likeness": likeness}


def shared_faults(
    rows: Iterable[tuple[Id, Sequence[int], Sequence[float]]], stored: Stored, ring: KeyRing
) -> Iterator[Fault]:
    """Rows of (record, match keys, bits lost) of what is marked as shared, against `weighed` records."""
    left = {r: content for r, (content, _) in stored.records.items() if content.shared}
    secret = ring.hash_keys(stored.versions.looked_up).match
    for record, keys, lost in rows:
        if record not in stored.records:
            continue
        stands, content = sorted(zip(keys, lost, strict=True)), left.pop(record, None)
        should = [] if content is None else _shared(content, secret)
        if stands != should:
            yield Fault(FaultKind.SHARED_IDENTIFIERS, {"record": str(record)}, _lost(stands), _lost(should))
    for record, content in left.items():
        should = _shared(content, secret)
        yield Fault(FaultKind.SHARED_IDENTIFIERS, {"record": str(record)}, [], _lost(should))


def _shared(content: IdentityRecord, secret: bytes) -> list[tuple[int, float]]:
    return sorted((identifier_key(i, secret), lost) for i, lost in content.shared)


def _lost(marks: Iterable[tuple[int, float]]) -> list[list[object]]:
    """JSON knows no infinity."""
    return [[key, "all" if lost == inf else lost] for key, lost in marks]


def identifier_faults(
    rows: Iterable[tuple[Id, Sequence[str], Sequence[bytes], Sequence[int]]],
    stored: Stored,
    ring: KeyRing,
    rotation: Rotating,
) -> Iterator[Fault]:
    """Rows of (record, types, value hashes, key versions), one for each record that has any."""
    keys = ring.hash_keys(stored.versions.looked_up)
    left = {r: content for r, (content, _) in stored.records.items() if content.identifiers}
    for record, types, hashes, versions in rows:
        if record not in stored.records:
            continue
        content = stored.records[record][0]
        left.pop(record, None)
        there = list(zip(versions, types, hashes, strict=True))
        stands = sorted((kind, hashed) for version, kind, hashed in there if version == keys.version)
        should = _hashed(content, keys.value)
        if stands != should:
            yield Fault(FaultKind.IDENTIFIERS, {"record": str(record)}, _hex(stands), _hex(should))
        others = sorted((kind, hashed) for version, kind, hashed in there if version != keys.version)
        should = [] if rotation.other is None else _hashed(content, rotation.other.value)
        if not rotation.allows(set(others), set(should), record):
            yield Fault(FaultKind.IDENTIFIERS, {"record": str(record)}, _hex(others), _hex(should))
    for record, content in left.items():
        should = _hashed(content, keys.value)
        yield Fault(FaultKind.IDENTIFIERS, {"record": str(record)}, [], _hex(should))


def _hashed(content: IdentityRecord, secret: bytes) -> list[tuple[str, bytes]]:
    return sorted((i.type.value, value_hash(secret, i)) for i in content.identifiers)


def _hex(hashed: Iterable[tuple[str, bytes]]) -> list[list[str]]:
    return [[kind, value.hex()] for kind, value in hashed]


class EvidenceRow(NamedTuple):
    """Evidence as it is stored."""

    low: Id
    high: Id
    weight: float
    confidence: float
    levels: Sequence[Sequence[object]]
    veto: str | None
    model_version: str
    policy_version: str


class EvidenceFaults:
    """Stored evidence against comparing its two records again. `rows` counts, `aged` those of other versions."""

    def __init__(self, stored: Stored, model: Model, policy: Policy) -> None:
        self._stored, self._model, self._policy = stored, model, policy
        self._counting: set[tuple[Id, Id]] = set()
        self.rows = self.aged = 0

    def differing(self, rows: Iterable[EvidenceRow]) -> Iterator[Fault]:
        """Evidence that is not what comparing gives. That of forgotten records cannot be told."""
        versions = (self._model.version, self._policy.version)
        for row in rows:
            self.rows += 1
            self.aged += (row.model_version, row.policy_version) != versions
            if not self._stored.records.keys() >= {row.low, row.high}:
                continue
            if row.confidence >= self._policy.review:
                self._counting.add((row.low, row.high))
            stands = _as_stored(row)
            should = [_as_compared(row.low, row.high, found) for found in self._possible(row.low, row.high)]
            if stands not in should:
                yield Fault(FaultKind.EVIDENCE_DIFFERS, _pair(row.low, row.high), stands, should[0])

    def _possible(self, low: Id, high: Id) -> Iterator[Comparison]:
        """What comparing gives; within a profile also what it gave when they had bought less in common.

        There evidence may wait to be kept up with purchases until the profile is clustered again.
        """
        a, b = self._stored.records[low][0], self._stored.records[high][0]
        yield compare(side((a,)), side((b,)), self._model, self._policy)
        if self._stored.homes[low] == self._stored.homes[high]:
            shared = sorted(a.products & b.products)[: len(self._model.levels["purchases"])]
            for count in range(len(shared)):
                fewer = frozenset(shared[:count])
                sides = (side((record.having_bought(fewer),)) for record in (a, b))
                yield compare(next(sides), next(sides), self._model, self._policy)

    def unequal(self, edges: Iterable[Edge]) -> Iterator[Fault]:
        """Once all rows passed: evidence that counts on one side only. `edges` is all that counts from scratch."""
        found = {(e.low, e.high): e for e in edges}
        for low, high in sorted(self._counting - found.keys()):
            yield Fault(FaultKind.EVIDENCE_SURPLUS, _pair(low, high))
        for low, high in sorted(found.keys() - self._counting):
            should = _as_compared(low, high, found[low, high].comparison)
            yield Fault(FaultKind.EVIDENCE_MISSING, _pair(low, high), None, should)


def _pair(low: Id, high: Id) -> dict[str, object]:
    return {"records": [str(low), str(high)]}


def _as_stored(row: EvidenceRow) -> dict[str, object]:
    return _told(row.weight, row.confidence, [list(level) for level in row.levels], row.veto)


def _as_compared(low: Id, high: Id, found: Comparison) -> dict[str, object]:
    levels = edge_details(Edge(low, high, found))["levels"]
    return _told(found.weight, found.confidence, levels, found.veto)


def _told(weight: float, confidence: float, levels: object, veto: str | None) -> dict[str, object]:
    return {
        "weight": round(weight, DIGITS),
        "confidence": round(confidence, DIGITS),
        "levels": levels,
        "veto": None if veto is None else str(veto),
    }
