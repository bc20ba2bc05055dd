"""Reads what an explanation rests on: subjects, records, evidence, decisions, and the versions that decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from pipeline.codes import ReasonCode
from pipeline.errors import NotFound
from pipeline.explain.report import Subject
from pipeline.identity.explain.explanation import Link, StepKind
from pipeline.identity.explain.story import Arrived, Logged
from pipeline.identity.explain.weighing import StoredComparison
from pipeline.identity.ids import Id
from pipeline.identity.model import Comparison, Edge, LevelWeight
from pipeline.store.database import Transaction

_STAGE = "resolve"


class Versions(NamedTuple):
    """The versions that decided, and where that is written: merge_log, review, evidence or in_force."""

    model: str
    policy: str
    told_by: str


Kept = tuple[Edge, StoredComparison]


def subject(tx: Transaction, asked: Id) -> Subject:
    """The record or profile of that id. One merged away speaks for the records it had. Raises NotFound."""
    row = tx.row("explain_record", (asked,))
    if row is not None:
        return Subject(asked, True, row[0], (asked,))
    profile, merged = asked, False
    while True:
        row = tx.row("explain_profile", (profile,))
        if row is None:
            raise NotFound(f"{asked} is neither an identity record nor a profile")
        if row[0] is None:
            break
        profile, merged = row[0], True
    if not merged:
        return Subject(asked, False, profile, members(tx, profile))
    moved = [
        entry for entry in log_of(tx, [asked]) if entry.source == asked and entry.kind is StepKind.MERGED
    ]
    return Subject(asked, False, profile, tuple(sorted(moved[-1].records)))


def members(tx: Transaction, profile: Id) -> tuple[Id, ...]:
    """The records of a profile."""
    return tuple(sorted(r for (r,) in tx.rows("members", ([profile],))))


def evidence(tx: Transaction, records: Collection[Id]) -> list[Kept]:
    """The evidence kept between any two of the records, the weightiest first."""
    found = [
        (Edge(low, high, comparison), StoredComparison(comparison, model, policy))
        for low, high, weight, confidence, levels, veto, model, policy in tx.rows(
            "explain_evidence", {"records": list(records)}
        )
        for comparison in (_comparison(weight, confidence, levels, veto),)
    ]
    return sorted(found, key=lambda kept: (-kept[0].comparison.weight, kept[0].low, kept[0].high))


def _comparison(
    weight: float, confidence: float, levels: Iterable[tuple[str, str, float]], veto: str | None
) -> Comparison:
    told = tuple(LevelWeight(*level) for level in levels)
    return Comparison(weight, confidence, told, ReasonCode(veto) if veto else None)


def links(kept: Iterable[Kept]) -> list[Link]:
    """Evidence as links."""
    return [
        Link(
            edge.low,
            edge.high,
            edge.comparison.weight,
            edge.comparison.confidence,
            tuple((v.attribute, v.level, v.weight) for v in edge.comparison.levels),
            by.model_version,
            by.policy_version,
        )
        for edge, by in kept
    ]


def log_of(tx: Transaction, profiles: Collection[Id]) -> list[Logged]:
    """The merge log of these profiles, oldest first."""
    return [_logged(*row) for row in tx.rows("explain_merge_log", {"profiles": list(profiles)})]


def _logged(
    merge_log_id: Id,
    kind: str,
    at: datetime,
    source: Id,
    target: Id,
    records: Sequence[Id],
    source_before: Sequence[Id],
    target_before: Sequence[Id],
    details: Mapping[str, Sequence[Mapping[str, object]]],
    actor: str,
    reason: str,
    rolled_back: bool,
    model_version: str,
    policy_version: str,
) -> Logged:
    return Logged(
        merge_log_id,
        StepKind(kind),
        at,
        source,
        target,
        tuple(sorted(records)),
        frozenset((*source_before, *target_before)),
        tuple(_told(e, model_version, policy_version) for e in details["evidence"]),
        actor,
        reason,
        rolled_back,
        model_version,
        policy_version,
    )


def _told(edge: Mapping[str, object], model: str, policy: str) -> Link:
    levels = edge["levels"]
    assert isinstance(levels, list)
    weight, confidence = (edge[name] for name in ("weight", "confidence"))
    assert isinstance(weight, float | int)
    assert isinstance(confidence, float | int)
    low, high = (Id.parse(str(edge[name])) for name in ("low", "high"))
    told = tuple((str(a), str(level), float(bits)) for a, level, bits in levels)
    return Link(low, high, float(weight), float(confidence), told, model, policy)


def whole_log(tx: Transaction, profile: Id) -> list[Logged]:
    """The merge log of a profile and of everything that was ever merged into it."""
    known = {profile}
    while True:
        log = log_of(tx, known)
        merged = {e.source for e in log if e.kind is StepKind.MERGED and e.target in known}
        if merged <= known:
            return log
        known |= merged


def arrivals(tx: Transaction, records: Collection[Id]) -> list[Arrived]:
    """The first decision on each record."""
    return [
        Arrived(record, at, decision, tuple(reasons), source)
        for record, at, decision, reasons, source in tx.rows("explain_arrivals", (list(records),))
    ]


def versions(
    tx: Transaction, left: Subject, right: Subject, log: Sequence[Logged], kept: Sequence[Kept]
) -> Versions:
    """The versions of the decision that concerns two subjects: of their merge, else of their review, else of their
    best evidence, else those in force when the later of them arrived. Of two records their own evidence comes first.
    """
    if kept and left.is_record and right.is_record:
        return Versions(kept[0][1].model_version, kept[0][1].policy_version, "evidence")
    merges = [entry for entry in log if entry.kind is StepKind.MERGED and _between(entry, left, right)]
    if merges:
        return Versions(merges[-1].model_version, merges[-1].policy_version, "merge_log")
    low, high = sorted((left.profile_id, right.profile_id))
    row = tx.row("explain_review", {"low": low, "high": high})
    if row is not None:
        return Versions(row[0], row[1], "review")
    if kept:
        return Versions(kept[0][1].model_version, kept[0][1].policy_version, "evidence")
    return _in_force(tx, left, right)


def _in_force(tx: Transaction, left: Subject, right: Subject) -> Versions:
    came = [max(a.at for a in found) for s in (left, right) if (found := arrivals(tx, s.records))]
    row = tx.row("in_force", {"stage": _STAGE, "at": max(came, default=None)})
    if row is None:
        raise NotFound("no model or policy is stored yet: start the resolve stage once, it stores its own")
    return Versions(row[0], row[1], "in_force")


def between(log: Iterable[Logged], left: Subject, right: Subject) -> list[Logged]:
    """The entries that joined or parted the two."""
    return [entry for entry in log if _between(entry, left, right)]


def _between(entry: Logged, left: Subject, right: Subject) -> bool:
    moved, stayed = frozenset(entry.records), entry.before - frozenset(entry.records)
    return any(
        not moved.isdisjoint(one.records) and not stayed.isdisjoint(other.records)
        for one, other in ((left, right), (right, left))
    )
