"""Rows that follow from the records' content, against the content: each is looked at once, as it passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from math import inf
from typing import NamedTuple

from pipeline.identity.blocking import identifier_key
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
from pipeline.store.stored import Stored
from pipeline.verify.fault import Fault, FaultKind
from pipeline.verify.standing import DIGITS


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
        secret = ring.hash_keys(stored.key_versions[own_id]).signature
        should = record_id(signature(secret, serialize(canonical)))
        if should != own_id:
            yield Fault(FaultKind.RECORD_ID, {"record": str(own_id)}, str(own_id), str(should))


class KeyRow(NamedTuple):
    """A record's match keys, the lowest and highest bit set of kinds beside them, tags of whom it names, and numbers of
    what it says of a person."""

    record: Id
    keys: Sequence[int]
    least_kinds: int
    most_kinds: int
    least_person: int
    most_person: int
    least_likeness: int
    most_likeness: int


def match_key_faults(
    rows: Iterable[KeyRow], overfull: Set[int], stored: Stored, ring: KeyRing
) -> Iterator[Fault]:
    """One row for each record that has keys. It may be filed under those that are over-full and need not be."""
    left = {r: keys for r, (_, keys) in stored.records.items() if any(k.key not in overfull for k in keys)}
    for row in rows:
        if row.record not in stored.records:
            continue
        left.pop(row.record, None)
        expected = stored.records[row.record][1]
        keys = {k.key for k in expected}
        misfiled = len(set(row.keys)) < len(row.keys) or not keys.symmetric_difference(row.keys) <= overfull
        secret = ring.hash_keys(stored.key_versions[row.record]).match
        traits = stored.records[row.record][0].traits
        marks = kinds_of(expected), person_tag(traits, secret), likeness_number(traits, secret)
        stands = _filed(row.keys, row.most_kinds, row.most_person, row.most_likeness)
        should = _filed(keys, *marks)
        least = row.least_kinds, row.least_person, row.least_likeness
        if misfiled or not least == marks == (row.most_kinds, row.most_person, row.most_likeness):
            yield Fault(FaultKind.MATCH_KEYS, {"record": str(row.record)}, stands, should)
    for record, missing in left.items():
        should = {"keys": sorted({k.key for k in missing})}
        yield Fault(FaultKind.MATCH_KEYS, {"record": str(record)}, None, should)


def _filed(keys: Iterable[int], kinds: int, person: int, likeness: int) -> dict[str, object]:
    return {"keys": sorted(keys), "kinds": kinds, "person": person, "likeness": likeness}


def shared_faults(
    rows: Iterable[tuple[Id, Sequence[int], Sequence[float]]], stored: Stored, ring: KeyRing
) -> Iterator[Fault]:
    """Rows of (record, match keys, bits lost) of what is marked as shared, against `weighed` records."""
    left = {r: content for r, (content, _) in stored.records.items() if content.shared}
    for record, keys, lost in rows:
        if record not in stored.records:
            continue
        stands, content = sorted(zip(keys, lost, strict=True)), left.pop(record, None)
        should = (
            [] if content is None else _shared(content, ring.hash_keys(stored.key_versions[record]).match)
        )
        if stands != should:
            yield Fault(FaultKind.SHARED_IDENTIFIERS, {"record": str(record)}, _lost(stands), _lost(should))
    for record, content in left.items():
        should = _shared(content, ring.hash_keys(stored.key_versions[record]).match)
        yield Fault(FaultKind.SHARED_IDENTIFIERS, {"record": str(record)}, [], _lost(should))


def _shared(content: IdentityRecord, secret: bytes) -> list[tuple[int, float]]:
    return sorted((identifier_key(i, secret), lost) for i, lost in content.shared)


def _lost(marks: Iterable[tuple[int, float]]) -> list[list[object]]:
    """JSON knows no infinity."""
    return [[key, "all" if lost == inf else lost] for key, lost in marks]


def identifier_faults(
    rows: Iterable[tuple[Id, Sequence[str], Sequence[bytes], int, int]], stored: Stored, ring: KeyRing
) -> Iterator[Fault]:
    """Rows of (record, types, value hashes, lowest and highest key version), one for each record that has any."""
    left = {r: content for r, (content, _) in stored.records.items() if content.identifiers}
    for record, types, hashes, least, most in rows:
        content = left.pop(record, None)
        if content is None and record not in stored.records:
            continue
        version = stored.key_versions[record]
        stands = sorted(zip(types, hashes, strict=True))
        should = [] if content is None else _hashed(content, ring.hash_keys(version).value)
        if stands != should or (least, most) != (version, version):
            yield Fault(FaultKind.IDENTIFIERS, {"record": str(record)}, _hex(stands), _hex(should))
    for record, content in left.items():
        should = _hashed(content, ring.hash_keys(stored.key_versions[record]).value)
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
