"""What an explanation answers with, and the same as data for machines."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import Enum

from pipeline.codes import AUTOMATIC, ReasonCode
from pipeline.identity.explain.explanation import (
    Link,
    Meeting,
    SidesExplanation,
    StoryStep,
    Tree,
)
from pipeline.identity.ids import Id


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked about: a record or a profile, the profile it stands in now, and the records that speak for it.

    `is_part`: they are not all that the profile has.
    """

    asked: Id
    is_record: bool
    profile_id: Id
    records: tuple[Id, ...]
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class PairReport:
    """Why two subjects are one customer or not.

    `decided_by` says where the versions come from: merge_log, review, evidence or in_force. `decisions` are those that
    stand in the merge log between the two. `chain` is the strongest chain of links between them where they are one
    profile. `meeting` is that of the best pair; `was_compared` whether evidence of any pair is kept.
    """

    left: Subject
    right: Subject
    decided_by: str
    decisions: tuple[StoryStep, ...]
    explanation: SidesExplanation
    chain: tuple[Link, ...]
    meeting: Meeting
    was_compared: bool


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """Why the records of a profile are one customer, and how that came about.

    `weakest` explains the two parts that the weakest link holds together; None where there is one record.
    """

    subject: Subject
    tree: Tree
    weakest: SidesExplanation | None
    story: tuple[StoryStep, ...]


Report = PairReport | ProfileReport


A_PERSON = "a person"
_SAID_BY_CODE = frozenset({*ReasonCode, AUTOMATIC})


def profiles_of(report: Report) -> frozenset[Id]:
    """Whose records a report tells of."""
    told = (report.left, report.right) if isinstance(report, PairReport) else (report.subject,)
    return frozenset(subject.profile_id for subject in told)


def without_names(report: Report) -> Report:
    """The report for those who may not know who decided and in what words: where a person did, and why, is left out."""
    if isinstance(report, PairReport):
        return replace(report, decisions=tuple(map(_unsigned, report.decisions)))
    return replace(report, story=tuple(map(_unsigned, report.story)))


def _unsigned(step: StoryStep) -> StoryStep:
    """The pipeline gives its reasons by code; a person's are words."""
    if _SAID_BY_CODE.issuperset(step.reasons):
        return step
    return replace(step, actor=A_PERSON, reasons=())


def as_data(value: object) -> object:
    """A report as JSON has it: ids as text, times in ISO 8601."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_data(getattr(value, f.name)) for f in fields(value)}
    match value:
        case Id():
            return str(value)
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case tuple():
            return [as_data(v) for v in value]
        case _:
            return value
