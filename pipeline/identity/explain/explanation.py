"""What an explanation consists of. Values of customers are in it as `show` made them: masked unless asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pipeline.codes import ReasonCode
from pipeline.identity.ids import Id

Show = Callable[[str, str], str]
"""(attribute, value) -> the value as it may be seen."""


class Verdict(StrEnum):
    """What the policy makes of two sides: one customer, a question for a steward, or two customers."""

    MERGE = "merge"
    REVIEW = "review"
    APART = "apart"


class Origin(StrEnum):
    """Where the numbers of a weighing come from."""

    # stored, and the same to the last bit when computed again by the same versions
    CONFIRMED = "confirmed"
    # stored; computed again it is another number, since what is known has grown or the program moved on
    DIFFERS = "differs"
    # nothing is stored: computed now, by the versions that decided
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class AttributeEvidence:
    """One attribute of both sides. Without a level it is neutral: a side lacks it, or the two cannot be compared."""

    attribute: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    level: str | None
    bits: float


@dataclass(frozen=True, slots=True)
class Weighing:
    """The evidence between two sides: `prior` + bits of the attributes + `household` = `weight`, in log2 odds.

    `household` is what the possibility that two of one household stand here takes away; never above 0.
    """

    prior: float
    attributes: tuple[AttributeEvidence, ...]
    household: float
    weight: float
    confidence: float
    veto: ReasonCode | None
    model_version: str
    policy_version: str
    origin: Origin = Origin.COMPUTED


class Becomes(StrEnum):
    """What an attribute would have to be."""

    ABSENT = "absent"
    SAME = "same"
    DIFFERENT = "different"
    UNSHARED = "unshared"  # of an identifier that many people share
    LIFTED = "lifted"  # of a constraint


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute (or `cannot_link`, `must_link`) and what it would have to become."""

    attribute: str
    becomes: Becomes


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A set of changes, and the verdict it leads to."""

    changes: tuple[Change, ...]
    verdict: Verdict
    weight: float
    confidence: float


class Direction(StrEnum):
    """Which way a verdict is to be changed."""

    TOGETHER = "together"
    APART = "apart"


@dataclass(frozen=True, slots=True)
class WouldChange:
    """The smallest sets that change the verdict in a direction, the most plausible first.

    Empty where no set of up to `most_changes` does; `complete` is false where the search ended at its bound before.
    """

    direction: Direction
    smallest: tuple[Counterfactual, ...]
    most_changes: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two records that holds them together: evidence, or a steward's must-link (without a weight)."""

    low: Id
    high: Id
    weight: float | None
    confidence: float | None
    levels: tuple[tuple[str, str, float], ...] = ()
    model_version: str = ""
    policy_version: str = ""


@dataclass(frozen=True, slots=True)
class WeakestLink:
    """The weakest link of a profile's tree, and the two parts it holds together.

    `others`: how many further edges of at least the auto-merge threshold cross between the parts; where it is 0, the
    loss of this link alone parts them.
    """

    link: Link
    one: tuple[Id, ...]
    other: tuple[Id, ...]
    others: int


@dataclass(frozen=True, slots=True)
class Tree:
    """What holds records together: the strongest edges that connect them (a maximum spanning tree), strongest first.

    More than one group: no stored evidence or must-link connects those.
    """

    links: tuple[Link, ...]
    groups: tuple[tuple[Id, ...], ...]
    weakest: WeakestLink | None


@dataclass(frozen=True, slots=True)
class SidesExplanation:
    """Why two sides (records or whole profiles) are one customer or not, by the versions that decided.

    `best` compares the pair of records that agrees most (`best_pair`), `wholes` everything both sides say; of two
    single records they are the same. `pairs` is how many pairs of records lie between the sides, `compared` on how many
    of them this rests.
    """

    left: tuple[Id, ...]
    right: tuple[Id, ...]
    best_pair: tuple[Id, Id]
    best: Weighing
    wholes: Weighing
    verdict: Verdict
    reason: ReasonCode
    review: float
    auto_merge: float
    pairs: int
    compared: int
    would_change: tuple[WouldChange, ...]


class StepKind(StrEnum):
    """What happened to a profile."""

    CREATED = "created"
    LINKED = "linked"
    MERGED = "merged"
    SPLIT = "split"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class StoryStep:
    """One decision in the making of a profile, with the evidence that brought it about, best first.

    Of merges, splits and rollbacks `records` moved from `source` to `target`; of arrivals they are the new record.
    """

    at: datetime
    kind: StepKind
    records: tuple[Id, ...]
    evidence: tuple[Link, ...]
    reasons: tuple[str, ...]
    actor: str = ""
    source: Id | None = None
    target: Id | None = None
    merge_log_id: Id | None = None
    undone: bool = False
    model_version: str = ""
    policy_version: str = ""


@dataclass(frozen=True, slots=True)
class Meeting:
    """The kinds of match keys two records share, those of them that are over-full, and whether the others make the two
    candidates; or whether they are compared by way of others who share an identifier (pipeline/identity/twins.py)."""

    shared: tuple[str, ...]
    overfull: tuple[str, ...]
    candidates: bool
    by_others: bool = False
