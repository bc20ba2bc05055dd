"""How a profile came about: the arrivals of its records and the merges, splits and rollbacks, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.identity.explain.explanation import Link, StepKind, StoryStep
from pipeline.identity.ids import Id

_EVIDENCE_TOLD = 3


@dataclass(frozen=True, slots=True)
class Arrived:
    """The first decision on a record: when it was committed, what it was and why, and which source sent it."""

    record: Id
    at: datetime
    decision: str
    reasons: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Logged:
    """A row of the merge log. `before` are the records both profiles had."""

    merge_log_id: Id
    kind: StepKind
    at: datetime
    source: Id
    target: Id
    records: tuple[Id, ...]
    before: frozenset[Id]
    evidence: tuple[Link, ...]
    actor: str
    reason: str
    rolled_back: bool
    model_version: str
    policy_version: str


def story(arrivals: Iterable[Arrived], log: Sequence[Logged], links: Sequence[Link]) -> tuple[StoryStep, ...]:
    """The steps in order. A record that came with a merge, as its evidence shows, is told of right before it.

    `links` is the stored evidence between the records, strongest first: what joined a record is its evidence with
    those that were there before it.
    """
    ordered = sorted(log, key=lambda entry: (entry.at, entry.merge_log_id))
    timed = sorted((_moment(a, ordered), n, a) for n, a in enumerate(sorted(arrivals, key=_came)))
    there: set[Id] = set()
    steps: list[tuple[datetime, int, StoryStep]] = []
    for (at, rank), n, arrived in timed:
        steps.append((at, rank * 1_000_000 + n, _arrival(arrived, links, there)))
        there.add(arrived.record)
    steps += [(entry.at, 1_000_000 + n, _entry(entry)) for n, entry in enumerate(ordered)]
    return tuple(step for _, _, step in sorted(steps, key=lambda s: s[:2]))


def _came(arrived: Arrived) -> tuple[datetime, bool, Id]:
    return arrived.at, arrived.decision != StepKind.CREATED, arrived.record


def _moment(arrived: Arrived, log: Sequence[Logged]) -> tuple[datetime, int]:
    """When to tell of an arrival: 0 before, 2 after what else happened at that time."""
    for entry in log:
        brought = any(arrived.record in (link.low, link.high) for link in entry.evidence)
        if brought and arrived.record not in entry.before and entry.at <= arrived.at:
            return entry.at, 0
    return arrived.at, 2


def _arrival(arrived: Arrived, links: Sequence[Link], there: set[Id]) -> StoryStep:
    joined = [
        link
        for link in links
        if (link.low == arrived.record and link.high in there)
        or (link.high == arrived.record and link.low in there)
    ]
    created = arrived.decision == StepKind.CREATED
    told = () if created else tuple(joined[:_EVIDENCE_TOLD])
    return StoryStep(
        at=arrived.at,
        kind=StepKind.CREATED if created else StepKind.LINKED,
        records=(arrived.record,),
        evidence=told,
        reasons=arrived.reasons,
        actor=arrived.source,
        model_version=told[0].model_version if told else "",
        policy_version=told[0].policy_version if told else "",
    )


def _entry(entry: Logged) -> StoryStep:
    return StoryStep(
        at=entry.at,
        kind=entry.kind,
        records=entry.records,
        evidence=entry.evidence[:_EVIDENCE_TOLD],
        reasons=(entry.reason,),
        actor=entry.actor,
        source=entry.source,
        target=entry.target,
        merge_log_id=entry.merge_log_id,
        undone=entry.rolled_back,
        model_version=entry.model_version,
        policy_version=entry.policy_version,
    )
