"""Explanations as the gateway answers them: pipeline/explain/report.py and what it consists of, as types of the API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from gateway.models import View
from pipeline.codes import ReasonCode
from pipeline.identity.explain.explanation import Becomes, Direction, Origin, StepKind, Verdict


class AttributeEvidence(View):
    """One attribute of both sides, values masked. Without a level it is neutral."""

    attribute: str
    left: list[str]
    right: list[str]
    level: str | None
    bits: float


class Weighing(View):
    """`prior` + bits of the attributes + `household` = `weight`, the log2 odds for one customer."""

    prior: float
    attributes: list[AttributeEvidence]
    household: float = Field(description="What two of one household would share as well takes away.")
    weight: float
    confidence: float
    veto: ReasonCode | None
    model_version: str
    policy_version: str
    origin: Origin


class Change(View):
    """An attribute (or `cannot_link`, `must_link`) and what it would have to become."""

    attribute: str
    becomes: Becomes


class Counterfactual(View):
    """Changes that together lead to another verdict."""

    changes: list[Change]
    verdict: Verdict
    weight: float
    confidence: float


class WouldChange(View):
    """The smallest sets of changes in a direction; empty where no set of up to `most_changes` leads there."""

    direction: Direction
    smallest: list[Counterfactual]
    most_changes: int
    complete: bool


class Sides(View):
    """Two sides, their best pair of records, and both compared as wholes."""

    left: list[UUID]
    right: list[UUID]
    best_pair: tuple[UUID, UUID]
    best: Weighing
    wholes: Weighing
    verdict: Verdict
    reason: ReasonCode
    review: float
    auto_merge: float
    pairs: int
    compared: int
    would_change: list[WouldChange]


class Link(View):
    """What holds two records together; a steward's must-link has no weight."""

    low: UUID
    high: UUID
    weight: float | None
    confidence: float | None
    levels: list[tuple[str, str, float]]
    model_version: str
    policy_version: str


class WeakestLink(View):
    """The weakest link and the two parts it ties; `others` further links cross between them."""

    link: Link
    one: list[UUID]
    other: list[UUID]
    others: int


class Tree(View):
    """The strongest links that connect the records of a profile."""

    links: list[Link]
    groups: list[list[UUID]]
    weakest: WeakestLink | None


class StoryStep(View):
    """One decision in the making of a profile."""

    at: datetime
    kind: StepKind
    records: list[UUID]
    evidence: list[Link]
    reasons: list[str]
    actor: str
    source: UUID | None
    target: UUID | None
    merge_log_id: UUID | None
    undone: bool
    model_version: str
    policy_version: str


class Subject(View):
    """What was asked about, and the records that speak for it."""

    asked: UUID
    is_record: bool
    profile_id: UUID
    records: list[UUID]


class Meeting(View):
    """The kinds of match keys the best pair shares, the over-full ones, and whether the others bring it together; or
    whether it shares an identifier with many and is compared by way of others of these."""

    shared: list[str]
    overfull: list[str]
    candidates: bool
    by_others: bool


class PairExplained(View):
    """Why two are one customer, or why not."""

    kind: Literal["pair"] = "pair"
    left: Subject
    right: Subject
    decided_by: Literal["merge_log", "review", "evidence", "in_force"]
    decisions: list[StoryStep]
    explanation: Sides
    chain: list[Link]
    meeting: Meeting
    was_compared: bool


class ProfileExplained(View):
    """Why the records of a profile are one customer, and how that came about."""

    kind: Literal["profile"] = "profile"
    subject: Subject
    tree: Tree
    weakest: Sides | None
    story: list[StoryStep]
